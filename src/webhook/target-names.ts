import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';

/** How long a first question waits for its answer, in milliseconds; a second one waits twice that. */
const FIRST_WAIT_MS = 700;
const QUESTIONS = 2;

/** Asks for the addresses of a name. Rejects with a `code` where there is none. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

/** Where addresses come from. */
export interface NameSources {
  /** Name servers, for every name. */
  dns: Resolve;
  /** The system's hosts file and search domains, for the few hosts that are listed: one at a time. */
  system: Resolve;
}

/** Another {@link NameSources} in the place of {@link SYSTEM_NAMES}. */
export const NAME_SOURCES = Symbol('NAME_SOURCES');

/**
 * Asks name servers, for about 2 s. It occupies no thread while it waits, unlike the system's
 * `lookup`: of its four threads, which the calls to WeChat need too, two dead names take all.
 * @param servers addresses with ports; those of the system unless given.
 */
export function dnsResolve(servers?: string[]): Resolve {
  return async (host) => {
    // Made again, it knows the system's present servers, and none by what other names did to it.
    const resolver = new Resolver({ timeout: FIRST_WAIT_MS, tries: QUESTIONS });
    if (servers) resolver.setServers(servers);
    const [ipv4, ipv6] = await Promise.allSettled([
      resolver.resolve4(host),
      resolver.resolve6(host),
    ]);
    const found = [...addresses(ipv4, 4), ...addresses(ipv6, 6)];
    if (found.length === 0 && ipv4.status === 'rejected') throw ipv4.reason;
    return found;
  };
}

function addresses(asked: PromiseSettledResult<string[]>, family: 4 | 6): LookupAddress[] {
  return asked.status === 'fulfilled' ? asked.value.map((address) => ({ address, family })) : [];
}

export const SYSTEM_NAMES: NameSources = {
  dns: dnsResolve(),
  system: (host) => lookup(host, { all: true }),
};

/** This machine's own addresses, where a name is one that always means it (RFC 6761). */
export function ownAddresses(host: string): LookupAddress[] | undefined {
  if (!/(^|\.)localhost\.?$/i.test(host)) return undefined;
  return [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
}
