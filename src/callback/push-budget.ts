/**
 * WeChat waits 5 s for the answer to a push, from its first byte; then it hangs up and pushes again.
 * What has a part in the answer keeps to this timeline, in milliseconds since that byte:
 *
 * ```
 * 0        push arrives: verified, decrypted, recorded (one unit of database work: 4000 at the most)
 * 4500     recorded, or answered 503 ── the reply is found, or it does not count
 *          a repetition goes without the reply of the first one, if that is not there yet
 * 4600     … waited for a little longer, so that no reply in time is missed
 * 4750     the reply is stored, or is sent all the same
 * 5000     WeChat hangs up
 * ```
 */
export const PUSH_BUDGET = {
  recordedBy: 4500,
  replyFoundBy: 4500,
  repeatedBy: 4500,
  replyAwaitedUntil: 4600,
  replyStoredBy: 4750,
  wechatWaits: 5000,
} as const;

/**
 * Milliseconds that are left until `limit` of the timeline, none where it is over.
 * @param arrived when the push's first byte arrived, by `performance.now()`.
 */
export function leftOf(limit: number, arrived: number): number {
  return Math.max(0, arrived + limit - performance.now());
}
