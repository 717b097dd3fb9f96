import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';

/** Stands for a sender's address that nobody knows. */
export const NO_ADDRESS = 'unknown';
/** Parts of an IPv6 address, of 16 bits each, that a network of one customer has in common. */
const NETWORK_PARTS = 4;

/**
 * The sender by which requests are counted: an IPv4 address, or the /64 of an IPv6 address, since
 * one customer commonly has all of a /64; `unknown` for what is no address.
 */
export function senderOf(address: string | undefined): string {
  if (!address || !ipaddr.isValid(address)) return NO_ADDRESS;
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  const network = parsed.parts.map((part, index) => (index < NETWORK_PARTS ? part : 0));
  return `${new ipaddr.IPv6(network).toString()}/64`;
}

/**
 * Leaves in `X-Forwarded-For` what can be read as addresses, so that a request's address is one
 * whatever a proxy passes on. What stands left of something else is dropped with it: nobody who is
 * trusted has written it.
 */
export function tidyForwardedFor(headers: IncomingHttpHeaders): void {
  const value = headers['x-forwarded-for'];
  if (value === undefined) return;
  const entries = String(value)
    .split(',')
    .map((entry) => bareAddress(entry.trim()));
  const kept = entries.slice(entries.lastIndexOf(undefined) + 1);
  if (kept.length > 0) headers['x-forwarded-for'] = kept.join(', ');
  else delete headers['x-forwarded-for'];
}

/** Some proxies write the port as well, and IPv6 in brackets. */
function bareAddress(entry: string): string | undefined {
  const bare =
    /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
  const [address = ''] = bare.split('%');
  return isIP(address) ? address : undefined;
}
