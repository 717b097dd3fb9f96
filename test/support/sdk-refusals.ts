import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'vitest';
import { authorizeByEvent, newAccount, PLATFORM } from './authorizer-world.js';
import type { TestApp } from './test-app.js';
import { HOUR, prime } from './token-world.js';
import { accountToken, apiKey, sdkCall } from './wx-world.js';

const SEND = '/cgi-bin/message/custom/send';
/** Calls of an SDK after one answer of the hub: what does not end would reach any number. */
const FEW = 5;

/** What an SDK is set up with. */
export interface SdkSetup {
  appid: string;
  key: string;
  /** Tokens that it has from before. */
  token?: string;
  componentToken?: string;
}

interface World {
  test: TestApp;
  answers: HubAnswers;
  /** An account of its own, that has authorized. */
  appid: string;
  /** A key that may do all. */
  key: string;
}

/** What an SDK is refused for when it sends a message. */
export interface SdkRefusal {
  what: string;
  /** WeChat's code that the SDK must meet; 0 where the hub must heal what WeChat says. */
  errcode: number;
  /** The same for an SDK that is set up as a platform; none where it cannot meet it. */
  asPlatform?: number;
  /** Whether the SDK may help itself and send the message in the end. */
  mayHeal?: boolean;
  prepare(world: World): Promise<Partial<SdkSetup>>;
}

/** The errcodes that a hub answers at the drop-in address. */
export class HubAnswers {
  /** Oldest first; undefined for what has none. */
  errcodes: (number | undefined)[] = [];
  /** Has calls lose their tokens on the way, as those of an SDK that sends none. */
  losesTokens = false;

  constructor({ app }: Pick<TestApp, 'app'>) {
    app
      .getHttpServer()
      .prependListener('request', (request: IncomingMessage, response: unknown) =>
        this.watch(request, response as ServerResponse),
      );
  }

  private watch(request: IncomingMessage, response: ServerResponse): void {
    if (!request.url?.startsWith('/wx/')) return;
    if (this.losesTokens && request.url.includes(SEND)) {
      request.url = request.url.replace(/([?&])access_token=[^&]*/, '$1');
    }
    const index = this.errcodes.push(undefined) - 1;
    const end = response.end.bind(response) as (...given: unknown[]) => ServerResponse;
    response.end = (...given: unknown[]): ServerResponse => {
      this.errcodes[index] = errcodeOf(given[0]);
      return end(...given);
    };
  }
}

function errcodeOf(chunk: unknown): number | undefined {
  try {
    return (JSON.parse(String(chunk)) as { errcode?: number }).errcode;
  } catch {
    return undefined;
  }
}

const limited = async ({ test }: World, values: object): Promise<{ key: string }> => ({
  key: (await apiKey(test, values)).key,
});

/** A key that is revoked once the SDK has its tokens. */
async function revoked({ test, appid }: World): Promise<Partial<SdkSetup>> {
  const made = await apiKey(test);
  const token = await accountToken(test, appid, made.key);
  const componentToken = await platformToken(test, made.key);
  await test.hub.request('DELETE', `/admin/api-keys/${made.id}`);
  return { key: made.key, token, componentToken };
}

async function platformToken(test: TestApp, key: string): Promise<string> {
  const { json } = await sdkCall(test, 'cgi-bin/component/api_component_token', {
    component_appid: PLATFORM,
    component_appsecret: key,
    component_verify_ticket: 'any',
  });
  return json.component_access_token as string;
}

/** Every code of the hub's own that decides whether SDKs call again. */
export const SDK_REFUSALS: SdkRefusal[] = [
  {
    what: 'a wrong key',
    errcode: 40125,
    asPlatform: 40125,
    prepare: async () => ({ key: 'wrong' }),
  },
  {
    what: 'a revoked key',
    errcode: 40001,
    asPlatform: 40001,
    prepare: revoked,
  },
  {
    what: 'a key that is revoked before the first call',
    errcode: 40125,
    asPlatform: 40125,
    prepare: async (world) => ({ key: (await revoked(world)).key }),
  },
  {
    what: 'a key of another account',
    errcode: 40013,
    asPlatform: 61003,
    prepare: (world) => limited(world, { authorizerAppIds: ['wx0000000000000000'] }),
  },
  {
    what: 'no token',
    errcode: 41001,
    asPlatform: 41001,
    prepare: async ({ answers }) => {
      answers.losesTokens = true;
      return {};
    },
  },
  {
    what: 'a forged token',
    errcode: 40001,
    asPlatform: 40001,
    mayHeal: true,
    prepare: async () => ({ token: 'A'.repeat(150) }),
  },
  {
    what: 'a forged token of the platform',
    errcode: 0,
    asPlatform: 40001,
    mayHeal: true,
    prepare: async () => ({ componentToken: 'A'.repeat(150) }),
  },
  {
    what: 'a token that has ended',
    errcode: 42001,
    asPlatform: 42001,
    mayHeal: true,
    prepare: async ({ test, appid, key }) => {
      const token = await accountToken(test, appid, key);
      test.clock.advance(2 * HOUR);
      await prime(test);
      return { token };
    },
  },
  {
    what: 'a token of the platform that has ended',
    errcode: 0,
    asPlatform: 42001,
    mayHeal: true,
    prepare: async ({ test, key }) => {
      const componentToken = await platformToken(test, key);
      test.clock.advance(2 * HOUR);
      await prime(test);
      return { componentToken };
    },
  },
  {
    what: 'a key for another path',
    errcode: 48001,
    asPlatform: 48001,
    prepare: (world) => limited(world, { paths: ['/cgi-bin/menu/'] }),
  },
  {
    what: 'a key without the scope',
    errcode: 48001,
    asPlatform: 48001,
    prepare: (world) => limited(world, { scopes: ['token:read'] }),
  },
  {
    what: 'an account that has withdrawn',
    errcode: 61003,
    asPlatform: 61003,
    prepare: async ({ test, appid, key }) => {
      const token = await accountToken(test, appid, key);
      await test.simulator.accounts.withdraw(PLATFORM, appid, { push: true });
      return { token };
    },
  },
  {
    what: 'a key that has spent its minute',
    errcode: 45011,
    asPlatform: 45011,
    prepare: (world) => limited(world, { requestsPerMinute: 1 }),
  },
  {
    what: 'that there is no token now',
    errcode: -1,
    asPlatform: -1,
    prepare: async ({ test }) => {
      test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: 42001 });
      return {};
    },
  },
  {
    what: 'nothing, where WeChat has ended the token',
    errcode: 0,
    asPlatform: 0,
    mayHeal: true,
    prepare: async ({ test, appid }) => {
      test.simulator.accounts.expireTokens(PLATFORM, { account: appid, errcode: 40001 });
      return {};
    },
  },
];

/** Whether an SDK of that kind can meet the refusal. */
export function errcodeMet(refusal: SdkRefusal, as: 'account' | 'platform'): number | undefined {
  const { errcode, asPlatform } = refusal;
  if (as === 'platform') return asPlatform;
  return errcode === 0 && asPlatform !== 0 ? undefined : errcode;
}

/**
 * Has an SDK meet a refusal and expects that it stops after a few calls, of which it is refused in
 * the end what it cannot heal.
 * @param send sends one message; its outcome is 0 where that succeeded.
 * @param atMost calls after the refusal, for an SDK that is known to make some and to end.
 */
export async function expectFewCalls(
  { test, answers, key }: Omit<World, 'appid'>,
  refusal: SdkRefusal,
  as: 'account' | 'platform',
  send: (setup: SdkSetup) => Promise<unknown>,
  atMost = FEW - 1,
): Promise<void> {
  const appid = newAccount(test);
  await authorizeByEvent(test, appid);
  const setup = await refusal.prepare({ test, answers, appid, key });
  answers.errcodes = [];
  try {
    const outcome = await send({ appid, key, ...setup });
    const errcode = errcodeMet(refusal, as);
    const met = answers.errcodes.indexOf(errcode);
    if (errcode === 0) {
      expect(outcome).toBe(0);
      expect(answers.errcodes.filter((one) => one !== undefined && one !== 0)).toEqual([]);
    } else {
      expect(answers.errcodes).toContain(errcode);
      if (!refusal.mayHeal) expect(outcome).not.toBe(0);
    }
    expect(answers.errcodes.length - met - 1).toBeLessThanOrEqual(atMost);
  } finally {
    answers.losesTokens = false;
    test.simulator.removeFaults();
  }
}
