import { t } from '../texts';
import { fromNow, now } from './times';

/**
 * When a pending delivery is tried next. One whose time has passed is due: it is tried as soon as
 * there is room and its subscription is enabled.
 */
export function nextTry(attempts: number, nextAttemptAt: string): string {
  const at = Date.parse(nextAttemptAt);
  const time = fromNow(at);
  if (at < now.value) return t('deliveries.due', { time });
  return t(attempts > 0 ? 'deliveries.nextTry' : 'deliveries.firstTry', { time });
}
