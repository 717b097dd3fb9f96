import { useAccountNames } from '../data/accounts';
import { usePlatforms } from '../data/platforms';
import type { Subscription } from '../data/subscriptions';
import { t } from '../texts';

export type Kind = 'authorization' | 'message' | 'event';
export const KINDS = ['authorization', 'message', 'event'] as const satisfies Kind[];
type Scope = Pick<Subscription, 'componentAppId' | 'authorizerAppId' | 'kinds' | 'types'>;

/** What a subscription's filter means, in words. */
export function useScopeText() {
  const { nameOf: accountName } = useAccountNames();
  const { nameOf: platformName } = usePlatforms();
  const scopeOf = ({ componentAppId, authorizerAppId, kinds, types }: Scope): string => {
    const what = (kinds ?? []).map((one) => t(`words.${one}`)).join(t('common.comma'));
    const parts = [
      what || t('subscriptions.allKinds'),
      types && types.length > 0 && t('subscriptions.onlyTypes', { types: types.join(', ') }),
      authorizerAppId
        ? t('subscriptions.ofAccount', { name: accountName(authorizerAppId) || authorizerAppId })
        : t('subscriptions.allAccounts'),
      componentAppId && t('subscriptions.ofPlatform', { name: platformName(componentAppId) }),
    ];
    return parts.filter(Boolean).join(t('subscriptions.comma'));
  };
  return { scopeOf };
}

type Responder = Pick<
  Subscription,
  'id' | 'mode' | 'enabled' | 'componentAppId' | 'authorizerAppId' | 'kinds' | 'types' | 'createdAt'
>;

/**
 * The responders that may want the same message, in the order in which the hub asks: one of an account
 * before one of a platform before one of neither; among equals the oldest.
 */
export function rivalsOf<T extends Responder>(one: Responder, all: readonly T[]): T[] {
  const rank = (other: Responder): number =>
    other.authorizerAppId !== null ? 0 : other.componentAppId !== null ? 1 : 2;
  return all
    .filter(
      (other) =>
        other.id !== one.id && other.mode === 'responder' && other.enabled && mayMeet(one, other),
    )
    .toSorted((a, b) => rank(a) - rank(b) || a.createdAt.localeCompare(b.createdAt));
}

/** Whether a rival is asked in place of this one where both want a message. */
export function goesBefore(rival: Responder, one: Responder): boolean {
  const [first] = rivalsOf({ ...one, id: '' }, [
    { ...one, mode: 'responder', enabled: true },
    rival,
  ]);
  return first?.id === rival.id;
}

function mayMeet(one: Responder, other: Responder): boolean {
  const same = (a: string | null, b: string | null): boolean => a === null || b === null || a === b;
  const shared = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
    a === null || b === null || a.some((value) => b.includes(value));
  return (
    same(one.componentAppId, other.componentAppId) &&
    same(one.authorizerAppId, other.authorizerAppId) &&
    shared(one.kinds, other.kinds) &&
    shared(one.types, other.types)
  );
}
