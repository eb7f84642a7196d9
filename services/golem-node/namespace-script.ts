import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageMount } from './images.js';
import { systemPath } from './sandbox.js';
import { quote } from './shell.js';

const systemFolders = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'nix'];
const settingFolders = ['alternatives', 'ca-certificates', 'fonts', 'ld.so.conf.d', 'ssl'];
const settingFiles = ['ld.so.cache', 'ld.so.conf', 'localtime', 'mime.types', 'nsswitch.conf', 'protocols', 'services'];
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/**
 * The shell script that the first process of an activity's namespaces runs. It builds a root of its own in memory:
 * this machine's programs read-only, little of /etc, the activity's own /golem and /tmp, the image's mounts; makes it
 * the root and lets go of the old one; says `ready <pid>`, and then waits for its input to end. The input is a pipe
 * that the node holds, so it ends with the node however that dies; and when the first process of a process namespace
 * ends, the kernel kills all others in it.
 */
export function namespaceScript(folder: string, mounts: readonly ImageMount[]): string {
  const root = join(folder, 'root');
  const lines = [
    'set -e',
    `PATH=${systemPath}`,
    // Read before /proc is replaced: the number of this process as the node sees it.
    'read -r pid rest < /proc/self/stat',
    readOnlyFunction,
    `mount -t tmpfs -o size=64m,mode=755 tmpfs ${quote(root)}`,
    `cd ${quote(root)}`,
    'mkdir usr etc proc dev dev/shm tmp golem var var/tmp root old',
    'ro /usr usr',
    ...systemFolders.flatMap(systemFolder),
    ...settingFolders
      .filter((name) => existsSync(`/etc/${name}`))
      .map((name) => `mkdir etc/${name}; ro /etc/${name} etc/${name}`),
    ...settingFiles.filter((name) => existsSync(`/etc/${name}`)).map((name) => `cp -L /etc/${name} etc/${name}`),
    "echo 'root:x:0:0:root:/golem/work:/bin/sh' > etc/passwd; echo 'root:x:0:' > etc/group",
    "echo '127.0.0.1 localhost' > etc/hosts; echo golem > etc/hostname",
    ...devices.map((name) => `if [ -e /dev/${name} ]; then : > dev/${name}; mount --bind /dev/${name} dev/${name}; fi`),
    'ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout',
    'ln -s /proc/self/fd/2 dev/stderr; chmod 1777 dev/shm',
    // Not to be had inside some containers; most programs do without.
    'mount -t proc proc proc 2>/dev/null || true',
    `mount --bind ${quote(join(folder, 'golem'))} golem`,
    `mount --bind ${quote(join(folder, 'tmp'))} tmp`,
    ...mounts.flatMap(imageMount),
    'pivot_root . old',
    'cd /',
    'umount -l /old',
    'rmdir /old',
    'echo "ready $pid"',
    'exec > /dev/null 2>&1',
    // As a child, so that this shell, the parent of all orphans in here, collects them while it waits.
    'cat',
  ];
  return lines.join('\n');
}

/** Binds $1 to $2 and makes that read-only. The kernel wants flags repeated that the original is locked with. */
const readOnlyFunction = `ro() {
  mount --rbind "$1" "$2"
  for flags in ro ro,nosuid ro,nodev ro,nosuid,nodev ro,nosuid,nodev,noexec; do
    for times in '' ,relatime ,noatime; do
      mount -o "remount,bind,$flags$times" "$2" 2>/dev/null && return 0
    done
  done
  echo "cannot bind $1 read-only" >&2
  return 1
}`;

function systemFolder(name: string): string[] {
  const path = `/${name}`;
  if (!existsSync(path)) return [];
  if (lstatSync(path).isSymbolicLink()) return [`ln -s ${quote(readlinkSync(path))} ${name}`];
  return [`mkdir ${name}; ro ${path} ${name}`];
}

function imageMount({ from, to }: ImageMount): string[] {
  const target = `.${to}`;
  const parent = `mkdir -p ${quote(join(target, '..'))}`;
  const make = statSync(from).isDirectory() ? `mkdir -p ${quote(target)}` : `: > ${quote(target)}`;
  return [parent, make, `ro ${quote(from)} ${quote(target)}`];
}
