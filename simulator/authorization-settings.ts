import { SimulatorError } from './wechat-error.js';

/** What api_authorizer_token says of the refresh token: WeChat's answers differ by report. */
const REFRESH_ANSWERS = ['same', 'rotate', 'omit'] as const;

/**
 * When the event of a consent page is pushed: before the redirect is answered, once it is
 * answered, `eventDelayMs` after that, or never.
 */
const EVENT_TIMINGS = ['event_first', 'redirect_first', 'delayed', 'none'] as const;

const CODE_CHOICES = ['same', 'different'] as const;

/** How the simulated WeChat treats authorizations; one set for all components. */
export interface AuthorizationSettings {
  /** Life of authorizer access tokens issued from now on, in seconds; default 7200. */
  authorizerTokenLifeSeconds: number;
  /** Life of a pre_auth_code in seconds; default 1800. */
  preAuthCodeLifeSeconds: number;
  /** Life of an authorization code in seconds; default 3600, which is what the event says. */
  codeLifeSeconds: number;
  /** How often a code can be exchanged; default 1. */
  codeMaxUses: number;
  /** Default `same`. A rotated refresh token works five more minutes. */
  refreshTokenAnswer: (typeof REFRESH_ANSWERS)[number];
  /** Whether the login pages demand a click from a page on redirect_uri's host; default `true`. */
  checkReferer: boolean;
  /** Whether redirect and event of a consent carry one code; default `same`. */
  eventCode: (typeof CODE_CHOICES)[number];
  /** Default `event_first`. */
  eventTiming: (typeof EVENT_TIMINGS)[number];
  /** For `delayed`, in milliseconds; default 1000. */
  eventDelayMs: number;
}

/** As WeChat does it, where that is known. */
export function defaultAuthorizationSettings(): AuthorizationSettings {
  return {
    authorizerTokenLifeSeconds: 7200,
    preAuthCodeLifeSeconds: 1800,
    codeLifeSeconds: 3600,
    codeMaxUses: 1,
    refreshTokenAnswer: 'same',
    checkReferer: true,
    eventCode: 'same',
    eventTiming: 'event_first',
    eventDelayMs: 1000,
  };
}

const CHECKS: { [Name in keyof AuthorizationSettings]: (value: unknown) => boolean } = {
  authorizerTokenLifeSeconds: isPositive,
  preAuthCodeLifeSeconds: isPositive,
  codeLifeSeconds: isPositive,
  codeMaxUses: isPositive,
  refreshTokenAnswer: isOneOf(REFRESH_ANSWERS),
  checkReferer: (value) => typeof value === 'boolean',
  eventCode: isOneOf(CODE_CHOICES),
  eventTiming: isOneOf(EVENT_TIMINGS),
  eventDelayMs: (value) => value === 0 || isPositive(value),
};

/** Refuses an unknown setting and a value that makes no sense. */
export function checkAuthorizationSettings(change: Partial<AuthorizationSettings>): void {
  for (const [name, value] of Object.entries(change)) {
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name as keyof typeof CHECKS] : undefined;
    if (!check) throw new SimulatorError(`no setting ${name}`);
    if (!check(value)) throw new SimulatorError(`${name} cannot be ${JSON.stringify(value)}`);
  }
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

function isOneOf(choices: readonly string[]): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && choices.includes(value);
}
