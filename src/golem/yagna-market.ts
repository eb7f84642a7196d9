import type { MeshErrorCode } from '../base/errors.js';
import { MeshError } from '../base/errors.js';
import type { AgreementEvent, AgreementRecord, DaemonMarket, OfferEvent, ProposalRecord } from './daemon.js';
import { callYagna, statusOf } from './yagna-calls.js';
import type { YagnaApi } from './yagna-sdk.js';

type RawEvent = Readonly<Record<string, unknown>>;

const callersFault: Readonly<Record<number, MeshErrorCode>> = { 400: 'invalid-argument' };

const agreementEventTypes: Readonly<Record<string, AgreementEvent['type']>> = {
  AgreementApprovedEvent: 'approved',
  AgreementRejectedEvent: 'rejected',
  AgreementCancelledEvent: 'cancelled',
  AgreementTerminatedEvent: 'terminated',
};

/** The market half of the daemon over the SDK's REST client. `appSessionId` marks agreements as this process's. */
export function yagnaMarket(api: YagnaApi['market'], appSessionId: string): DaemonMarket {
  return {
    publishDemand: async ({ properties, constraints }, call) => {
      const body = { properties: { ...properties }, constraints };
      return idOf(
        'publish demand',
        await callYagna('publish demand', call, () => api.subscribeDemand(body), callersFault),
      );
    },
    removeDemand: async (demandId, call) => {
      await callYagna(`remove demand ${demandId}`, call, () => api.unsubscribeDemand(demandId));
    },
    listDemands: async (call) => {
      const demands = await callYagna('list demands', call, () => api.getDemands());
      return demands.map(({ demandId, properties, constraints }) => ({
        demandId,
        demand: { properties, constraints },
      }));
    },
    collectOffers: async (demandId, { waitSeconds, maxEvents = 10, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      const raw = await callYagna(`offers of demand ${demandId}`, { ...call, timeoutMs }, () =>
        api.collectOffers(demandId, waitSeconds, maxEvents),
      );
      return raw.flatMap((event) => offerEvent(event as unknown as RawEvent));
    },
    counterProposal: async (demandId, proposalId, { properties, constraints }, call) => {
      const body = { properties: { ...properties }, constraints };
      const what = `counter proposal ${proposalId}`;
      return idOf(what, await callYagna(what, call, () => api.counterProposalDemand(demandId, proposalId, body)));
    },
    rejectProposal: async (demandId, proposalId, message, call) => {
      await callYagna(`reject proposal ${proposalId}`, call, () =>
        api.rejectProposalOffer(demandId, proposalId, { message }),
      );
    },
    createAgreement: async (proposalId, validTo, call) => {
      const what = `create agreement from ${proposalId}`;
      const body = { proposalId, validTo: validTo.toISOString() };
      return idOf(what, await callYagna(what, call, () => api.createAgreement(body)));
    },
    confirmAgreement: async (agreementId, call) => {
      await callYagna(`confirm agreement ${agreementId}`, call, () => api.confirmAgreement(agreementId, appSessionId));
    },
    waitForApproval: async (agreementId, { waitSeconds, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      try {
        await callYagna(`approval of agreement ${agreementId}`, { ...call, timeoutMs }, () =>
          api.waitForApproval(agreementId, waitSeconds),
        );
        return 'decided';
      } catch (error) {
        if (statusOf(error) === 408) return 'pending';
        // Gone: rejected, cancelled or expired; the agreement's state says which.
        if (statusOf(error) === 410) return 'decided';
        throw error;
      }
    },
    agreement: async (agreementId, call) => {
      const raw = await callYagna(`agreement ${agreementId}`, call, () => api.getAgreement(agreementId));
      return agreementRecord(raw);
    },
    cancelAgreement: async (agreementId, message, call) => {
      await callYagna(`cancel agreement ${agreementId}`, call, () => api.cancelAgreement(agreementId, { message }));
    },
    terminateAgreement: async (agreementId, message, call) => {
      await callYagna(`terminate agreement ${agreementId}`, call, () =>
        api.terminateAgreement(agreementId, { message }),
      );
    },
    agreementEvents: async ({ after, waitSeconds, maxEvents = 100, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      const raw = await callYagna('agreement events', { ...call, timeoutMs }, () =>
        api.collectAgreementEvents(waitSeconds, after, maxEvents, appSessionId),
      );
      return raw.flatMap((event) => agreementEvent(event as unknown as RawEvent));
    },
  };
}

function idOf(what: string, answer: unknown): string {
  if (typeof answer === 'string') return answer;
  const message = (answer as { message?: string } | undefined)?.message ?? JSON.stringify(answer);
  throw new MeshError('internal', `The golem daemon gave no id for ${what}: ${message}`);
}

// Daemons have spelled the discriminator both ways.
function typeOf(event: RawEvent): string {
  return String(event.eventType ?? event.eventtype ?? '');
}

function reasonOf(event: RawEvent): string {
  const reason = event.reason as { message?: string } | string | undefined;
  return typeof reason === 'string' ? reason : (reason?.message ?? '');
}

function offerEvent(event: RawEvent): OfferEvent[] {
  const date = String(event.eventDate ?? '');
  switch (typeOf(event)) {
    case 'ProposalEvent': {
      const raw = event.proposal as ProposalRecord;
      const { proposalId, issuerId, state, properties, constraints, prevProposalId } = raw;
      return [
        { type: 'proposal', date, proposal: { proposalId, issuerId, state, properties, constraints, prevProposalId } },
      ];
    }
    case 'ProposalRejectedEvent':
      return [{ type: 'rejected', date, proposalId: String(event.proposalId), reason: reasonOf(event) }];
    default:
      return [];
  }
}

function agreementEvent(event: RawEvent): AgreementEvent[] {
  const type = agreementEventTypes[typeOf(event)];
  if (!type) return [];
  return [
    {
      type,
      agreementId: String(event.agreementId),
      date: String(event.eventDate ?? ''),
      reason: reasonOf(event),
      terminatedBy: event.terminator as AgreementEvent['terminatedBy'],
    },
  ];
}

type RawAgreement = Awaited<ReturnType<YagnaApi['market']['getAgreement']>>;

function agreementRecord(raw: RawAgreement): AgreementRecord {
  const { agreementId, state, validTo, offer, demand } = raw;
  return {
    agreementId,
    state,
    validTo,
    providerId: offer.providerId,
    demand: { properties: demand.properties, constraints: demand.constraints },
    offer: { properties: offer.properties, constraints: offer.constraints },
  };
}
