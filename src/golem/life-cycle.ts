import { MeshError } from '../base/errors.js';

/** Where a service instance stands. */
export type ServiceState =
  | 'pending'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'suspended'
  | 'unresponsive'
  | 'terminated';

/** What moves it on. */
export type ServiceSignal =
  /** An activity is there for it. */
  | 'assigned'
  /** Given up before there was an activity: nobody was found, or it was told to stop. */
  | 'cancel'
  /** The handler of this state ended by itself. */
  | 'done'
  | 'fail'
  | 'stop'
  /** Another provider is to try. */
  | 'respawn'
  /** The activity is gone or out of reach: no handler runs any more. */
  | 'abort'
  | 'suspend'
  | 'resume'
  /** A health check went unanswered, and the next was answered. */
  | 'lost'
  | 'recover';

export interface Transition {
  readonly from: ServiceState;
  readonly on: ServiceSignal;
  readonly to: ServiceState;
}

/** The states in which handlers run: start, run, shutdown. */
export const activeStates = ['starting', 'running', 'stopping'] as const;

export type ActiveState = (typeof activeStates)[number];

const t = (from: ServiceState, on: ServiceSignal, to: ServiceState): Transition => ({ from, on, to });

/**
 * The whole life cycle. `resume` and `recover` lead back to the state that was left. The handler of an unresponsive
 * instance goes on, and its signals lead on as from the state that was left. docs/golem-life-cycle.md draws it.
 */
export const lifeCycle: readonly Transition[] = [
  t('pending', 'assigned', 'starting'),
  t('pending', 'cancel', 'terminated'),
  t('starting', 'done', 'running'),
  t('starting', 'fail', 'terminated'),
  t('starting', 'stop', 'terminated'),
  t('running', 'done', 'stopping'),
  t('running', 'fail', 'stopping'),
  t('running', 'stop', 'stopping'),
  t('stopping', 'done', 'terminated'),
  t('stopping', 'fail', 'terminated'),
  ...activeStates.flatMap((state) => [
    t(state, 'abort', 'terminated'),
    t(state, 'respawn', 'pending'),
    t(state, 'suspend', 'suspended'),
    t('suspended', 'resume', state),
    t(state, 'lost', 'unresponsive'),
    t('unresponsive', 'recover', state),
  ]),
  t('suspended', 'abort', 'terminated'),
  t('suspended', 'respawn', 'pending'),
  t('unresponsive', 'abort', 'terminated'),
  t('unresponsive', 'respawn', 'pending'),
];

/**
 * The state after a signal. `left` is the active state that `suspended` or `unresponsive` was entered from.
 * Errors: `failed-precondition` when the signal means nothing in that state.
 */
export function nextState(state: ServiceState, signal: ServiceSignal, left: ActiveState = 'running'): ServiceState {
  const possible = lifeCycle.filter(({ from, on }) => from === state && on === signal);
  const found = possible.length > 1 ? possible.find(({ to }) => to === left) : possible[0];
  if (!found) {
    const known = lifeCycle.filter(({ from }) => from === state).map(({ on }) => on);
    throw new MeshError(
      'failed-precondition',
      `A ${state} instance cannot take "${signal}"; it takes ${[...new Set(known)].join(', ') || 'nothing more'}`,
    );
  }
  return found.to;
}

export function isActive(state: ServiceState): state is ActiveState {
  return (activeStates as readonly string[]).includes(state);
}
