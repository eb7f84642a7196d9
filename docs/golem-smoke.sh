#!/bin/sh
# Runs one simple service on the real Golem network for a minute, and looks whether anything is left behind.
# NOT TRIED against a real daemon yet: written by the daemon's documented interface, run against the local node only.
#
#   YAGNA_APPKEY=… docs/golem-smoke.sh HASH     the SHA3-224 of an image of services/simple-service/provider
set -eu
image=${1:?give the hash of the image that gvmkit-build printed}
: "${YAGNA_APPKEY:?set it to a key of \`yagna app-key list\`}"
url=${YAGNA_API_URL:-http://127.0.0.1:7465}
ask() { curl -fsS -H "Authorization: Bearer $YAGNA_APPKEY" "$url$1"; }

echo "daemon: $(ask /version/get)"
echo "identity: $(ask /me)"
before=$(ask /payment-api/v1/allocations)
node "$(dirname "$0")/../dist/services/requestor.js" --image "$image" --running-time 60 --show-usage \
  --budget "${BUDGET:-0.5}" --payment-network "${YAGNA_PAYMENT_NETWORK:-holesky}"
after=$(ask /payment-api/v1/allocations)
if [ "$before" != "$after" ]; then
  echo "allocations are left: $after" >&2
  exit 1
fi
echo "all well; plots: $(ls simple-service-1-*.png)"
