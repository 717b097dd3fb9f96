import { computed } from 'vue';
import { answerOf } from './api';
import type { components } from './api-types';
import { useLive } from './use-live';

export type Subscription = components['schemas']['Subscription'];

/** The subscriptions, for lists and for their names; one request for all who ask. */
export function useSubscriptions({ every }: { every?: number } = {}) {
  const live = useLive({
    key: ['subscriptions'],
    every,
    read: (api) => answerOf(api.GET('/admin/subscriptions')),
  });
  const subscriptions = computed(() => live.data.value ?? []);
  const byId = computed(() => new Map(subscriptions.value.map((one) => [one.id, one])));
  /** Of one that was removed: undefined. */
  const nameOf = (id: string): string | undefined => byId.value.get(id)?.name;
  return { ...live, subscriptions, byId, nameOf };
}

/** What a subscription is doing, as `states` of the catalogues names it. */
export function stateOf(one: Pick<Subscription, 'enabled' | 'failingSince' | 'error'>): string {
  if (one.error) return 'unreadable';
  if (!one.enabled) return 'disabled';
  return one.failingSince ? 'failing' : 'active';
}
