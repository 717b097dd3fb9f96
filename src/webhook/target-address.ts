import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { HubError } from '../common/hub-error.js';
import { remark, type Remark } from '../common/remarks.js';

/** Longest URL of a target. */
const MAX_URL = 2048;
/** Where IPv6 addresses that the whole Internet reaches are; what is outside is refused whole. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Public by its number, but every virtual machine of Azure reaches its host's agent there. */
const CLOUD_HOSTS = new Set(['168.63.129.16']);

type Address = ReturnType<typeof ipaddr.process>;

/** A target that the hub does not call: its address is private, or its URL is no target's (400). */
export class TargetRefusedError extends HubError {
  constructor(message: Remark) {
    super('target_refused', message, { status: 400 });
  }
}

/** What `DELIVERY_ALLOWED_TARGETS` says: hosts and addresses that may be private. */
export class AllowedTargets {
  private readonly hosts = new Set<string>();
  private readonly ranges: ReturnType<typeof ipaddr.parseCIDR>[] = [];

  constructor(entries: string[]) {
    for (const entry of entries) {
      if (entry.includes('/')) this.ranges.push(ipaddr.parseCIDR(entry));
      else if (isIP(entry)) this.ranges.push(rangeOf(ipaddr.process(entry)));
      else this.hosts.add(entry);
    }
  }

  hasHost(host: string): boolean {
    return this.hosts.has(host);
  }

  hasAddress(address: Address): boolean {
    return this.ranges.some(
      (range) => range[0].kind() === address.kind() && address.match(range as never),
    );
  }
}

function rangeOf(address: Address): ReturnType<typeof ipaddr.parseCIDR> {
  return ipaddr.parseCIDR(`${address.toString()}/${address.kind() === 'ipv4' ? 32 : 128}`);
}

/**
 * Whether an address may be called: one of the public Internet, or one that is allowed.
 * @param address as the resolver gives it; whatever is not an address is refused.
 */
export function isAddressPermitted(address: string, allowed: AllowedTargets): boolean {
  const parsed = addressOf(address);
  if (!parsed) return false;
  if (allowed.hasAddress(parsed)) return true;
  if (parsed.range() !== 'unicast' || CLOUD_HOSTS.has(parsed.toString())) return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6 as never);
}

/** Undefined where it is none; an IPv4 address in IPv6's clothes (::ffff:127.0.0.1) is unwrapped. */
function addressOf(text: string): Address | undefined {
  try {
    return ipaddr.process(text);
  } catch {
    return undefined;
  }
}

/**
 * The URL of a target. Addresses in it are checked in whatever spelling they come (`0177.0.0.1`,
 * `2130706433`): the URL standard makes them one. Names are checked when they are resolved.
 * @throws {TargetRefusedError}
 */
export function parseTarget(text: string, allowed: AllowedTargets): URL {
  const url = text.length > MAX_URL ? undefined : urlOf(text);
  if (!url) throw new TargetRefusedError(remark('url_malformed'));
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TargetRefusedError(remark('url_scheme'));
  }
  if (url.port === '0') throw new TargetRefusedError(remark('url_port'));
  if (url.username !== '' || url.password !== '') {
    throw new TargetRefusedError(remark('url_user'));
  }
  const literal = addressIn(url);
  if (literal !== undefined && !isAddressPermitted(literal, allowed)) throw refusedAddress();
  return url;
}

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The error for a name or URL that leads to an address that is not permitted. */
export function refusedAddress(): TargetRefusedError {
  return new TargetRefusedError(remark('target_private'));
}

/** A URL's host for `node:net`, which wants an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The address in a URL; undefined where it has a name. */
function addressIn(url: URL): string | undefined {
  const host = hostOf(url);
  return isIP(host) === 0 ? undefined : host;
}
