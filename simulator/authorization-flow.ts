import type { SimulatorContext } from './api-route.js';
import type { Authorization } from './authorization.js';
import { messageText, type EventFields } from './push-text.js';
import type { FakeAccount } from './fake-account.js';
import type { FakeComponent } from './fake-component.js';
import { buildPush, type BuiltPush } from './push-builder.js';
import type { PushResult } from './pusher.js';
import { newCode } from './random-values.js';

/** How an account consents. */
export interface ConsentOptions {
  /** Ids of the permission sets granted; default those granted before, else the account's own. */
  funcInfo?: readonly number[] | undefined;
  /** A new refresh token although the account was authorized before; default `false`. */
  rotateRefreshToken?: boolean | undefined;
  /** Life of the code in seconds, 0 for one that has expired already; default as set up. */
  codeLifeSeconds?: number | undefined;
  /** PreAuthCode of the event; default a made-up one, `null` leaves the field out. */
  preAuthCode?: string | null | undefined;
}

/** What a consent leads to. */
export interface Consent {
  code: string;
  /** End of the code's life, Unix seconds; the event's AuthorizationCodeExpiredTime. */
  expiresAt: number;
  /** `null`: authorized before and the permission sets are the same, so that no event is sent. */
  infoType: 'authorized' | 'updateauthorized' | null;
  /** The event with this code, sent or not. */
  event: BuiltPush | null;
  authorization: Authorization;
}

/** The account consents, for the first time or again, which voids its access tokens. */
export function consent(
  context: SimulatorContext,
  component: FakeComponent,
  account: FakeAccount,
  options: ConsentOptions = {},
): Consent {
  const { authorizers } = context;
  const { rotateRefreshToken, preAuthCode } = options;
  const before = authorizers.find(component.appid, account.appid);
  const known = before?.authorized === true;
  const funcInfo = options.funcInfo ?? (known ? before.funcInfo : account.funcInfo);
  const changed = known && !sameSets(before.funcInfo, funcInfo);
  const authorization = authorizers.grant(component.appid, account, funcInfo, rotateRefreshToken);
  const { code, expiresAt } = newGrantCode(context, authorization, options.codeLifeSeconds);
  const infoType = known ? (changed ? 'updateauthorized' : null) : 'authorized';
  const event =
    infoType &&
    buildEvent(context, component, infoType, {
      AuthorizerAppid: account.appid,
      AuthorizationCode: code,
      AuthorizationCodeExpiredTime: expiresAt,
      ...(preAuthCode !== null && { PreAuthCode: preAuthCode ?? newCode('preauthcode@@@') }),
    });
  return { code, expiresAt, infoType, event, authorization };
}

/** One more code for an authorization. */
export function newGrantCode(
  { authorizers, now }: SimulatorContext,
  authorization: Authorization,
  lifeSeconds = authorizers.settings.codeLifeSeconds,
): { code: string; expiresAt: number } {
  const { refreshGeneration } = authorization;
  const nowMs = now();
  const granted = { authorization, refreshGeneration };
  const code = authorizers.codes.issue(granted, nowMs + lifeSeconds * 1000);
  return { code, expiresAt: Math.floor(nowMs / 1000) + lifeSeconds };
}

/** Builds a push of any InfoType to the auth URL. */
export function buildEvent(
  context: SimulatorContext,
  component: FakeComponent,
  infoType: string,
  fields: EventFields,
  createTime = Math.floor(context.now() / 1000),
): BuiltPush {
  const head = { AppId: component.appid, CreateTime: createTime, InfoType: infoType };
  return buildPush(component, context.now(), messageText({ ...head, ...fields }, 'xml'));
}

/** Sends an event if there is one and somewhere to send it to. */
export async function pushIfTargeted(
  { pusher }: SimulatorContext,
  component: FakeComponent,
  event: BuiltPush | null,
): Promise<PushResult | null> {
  return event && component.pushUrl ? pusher.push(component, event) : null;
}

function sameSets(before: readonly number[], after: readonly number[]): boolean {
  const left = new Set(before);
  const right = new Set(after);
  return left.size === right.size && [...left].every((id) => right.has(id));
}
