import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** WeChat's id of a request: groups of hex digits. */
const RID = /\brid:\s*([0-9a-f]{6,8}(?:-[0-9a-f]{6,8}){1,3})(?![0-9a-z-])/i;

/**
 * Where WeChat names the address that it saw: `invalid ip A ipv6 B, not in whitelist` (40164), and
 * `access clientip is not registered … requestIP: A` (61004).
 */
const ADDRESS_PLACES = [
  /\binvalid ip:?\s*\[?([0-9a-f.:]+)/gi,
  /\bipv6:?\s*\[?([0-9a-f.:]+)/gi,
  /\b(?:request ?ip|client ?ip|from ip)\s*[:=]\s*\[?([0-9a-f.:]+)/gi,
];

/** WeChat's id of the request, which its support asks for. */
export function ridOf(errmsg: string): string | undefined {
  return RID.exec(errmsg)?.[1];
}

/**
 * The address from which WeChat says that it was called, as the white list in its console takes it:
 * an IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is shown as what it is.
 */
export function clientIpOf(errmsg: string): string | undefined {
  for (const place of ADDRESS_PLACES) {
    for (const [, written = ''] of errmsg.matchAll(place)) {
      const address = addressIn(written);
      if (address !== undefined) return address;
    }
  }
  return undefined;
}

/** An address with the full stop of its sentence, or a port, behind it. */
function addressIn(written: string): string | undefined {
  const spellings = [written, written.replace(/[.:]+$/, ''), written.replace(/:\d{0,5}\.?$/, '')];
  const address = spellings.find((spelling) => isIP(spelling) !== 0);
  return address === undefined ? undefined : ipaddr.process(address).toString();
}
