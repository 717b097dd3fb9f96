import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';

type Range = ReturnType<typeof ipaddr.parseCIDR>;

/** What one entry of the list covers; of any port where it has none. */
interface Entry {
  port?: string | undefined;
  /** A name that covers itself and all below it. */
  name?: string;
  range?: Range;
}

const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' };

/**
 * The hosts of `NO_PROXY`, as curl reads them: separated by commas or blanks; `*` is every host; a
 * name covers itself and all below it, with a dot or `*.` before it or not; an address or CIDR
 * covers hosts that are given by address. An entry may end with a port.
 */
export class NoProxy {
  private readonly all: boolean;
  private readonly entries: Entry[];

  constructor(list: string) {
    const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
    this.all = entries.includes('*');
    this.entries = entries.map(entryOf);
  }

  /** Whether calls of the URL go without a proxy. */
  covers({ protocol, hostname, port }: URL): boolean {
    if (this.all) return true;
    const host = bare(hostname);
    const target = port === '' ? DEFAULT_PORTS[protocol] : port;
    return this.entries.some(
      (entry) => (entry.port === undefined || entry.port === target) && isIn(host, entry),
    );
  }
}

function entryOf(text: string): Entry {
  // The colons of an address without brackets are no port's.
  const [, host = text, port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(text) ?? [];
  const name = bare(host.replace(/^\*?\./, ''));
  const range = rangeOf(name);
  return range ? { port, range } : { port, name: domainToASCII(name) || name };
}

function rangeOf(text: string): Range | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (isIP(text) === 0) return undefined;
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128] as Range;
}

function isIn(host: string, { name, range }: Entry): boolean {
  if (range) {
    if (isIP(host) === 0) return false;
    const address = ipaddr.process(host);
    return address.kind() === range[0].kind() && address.match(range as never);
  }
  return name !== undefined && name !== '' && (host === name || host.endsWith(`.${name}`));
}

/** A host without the brackets of an address, without the dot of the root, in lower case. */
function bare(host: string): string {
  return host
    .replace(/^\[([^\]]*)\]/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}
