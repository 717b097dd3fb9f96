import { channel, type Channel } from 'node:diagnostics_channel';

/** What features report about their work. Values are names and numbers only: never a secret. */
export interface TelemetryEvents {
  /** A request was answered. `route` is the pattern, never the path that was asked for. */
  'http.request': { method: string; route: string; status: number; seconds: number };
  /** A push to a callback URL was answered. */
  'callback.push': {
    componentAppId: string;
    infoType: string;
    outcome: string;
    seconds: number;
  };
  /** A request to a callback URL was refused, or one that looks like it. */
  'callback.refused': { componentAppId: string; url: string; code: string };
  /** A push was verified with the previous Token or EncodingAESKey. */
  'callback.previous_key': { componentAppId: string };
  /** A call to api.weixin.qq.com ended. `errcode` is WeChat's, or the kind of failure. */
  'wechat.call': { path: string; errcode: string; seconds: number };
  /** A call for others by the gateway ended. `errcode` is WeChat's, 0 for none, or the hub's code. */
  'gateway.call': {
    /** Who called: `admin`, or `key:` and the id of the API key. */
    actor: string;
    componentAppId: string;
    /** Empty for a call of the platform's own. */
    authorizerAppId: string;
    path: string;
    errcode: string;
  };
  /** An attempt to exchange a credential for a token ended. */
  'token.exchange': { kind: string; key: string; outcome: string };
  /** A refresh waited for another process's lease. */
  'token.lease_wait': { kind: string; key: string; seconds: number };
  /** The hub asked WeChat to push tickets again. */
  'ticket.start_push': { componentAppId: string; outcome: string };
  /** A subscription's target was called. `cause` says why, `outcome` how it went, in a word. */
  'delivery.attempt': {
    componentAppId: string;
    subscriptionId: string;
    cause: string;
    outcome: string;
    seconds: number;
  };
  /** A delivery was given up after its last attempt. */
  'delivery.dead': { subscriptionId: string };
  /** The doctor looked around: how many places of each check (the hub, platforms) were how well. */
  'doctor.run': { counts: { check: string; status: string; count: number }[] };
  /** A subscription was disabled because its target failed for too long, or is gone. */
  'delivery.disabled': { subscriptionId: string; reason: string };
}

const channels = new Map<string, Channel>();

/** Looking a channel up by name costs more than publishing to it. */
function channelOf(name: string): Channel {
  let found = channels.get(name);
  if (!found) channels.set(name, (found = channel(`component-hub:${name}`)));
  return found;
}

/** Reports an event; costs next to nothing while nobody listens. */
export function emitTelemetry<K extends keyof TelemetryEvents>(
  name: K,
  event: TelemetryEvents[K],
): void {
  const target = channelOf(name);
  if (target.hasSubscribers) target.publish(event);
}

/** Listens to an event; returns the function that stops listening. */
export function onTelemetry<K extends keyof TelemetryEvents>(
  name: K,
  listener: (event: TelemetryEvents[K]) => void,
): () => void {
  const target = channelOf(name);
  const receive = (message: unknown): void => listener(message as TelemetryEvents[K]);
  target.subscribe(receive);
  return () => target.unsubscribe(receive);
}
