import { computed } from 'vue';
import { answerOf } from './api';
import { useLive } from './use-live';

/** So many names are known at once; an account beyond them is shown by its AppID. */
const MOST = 500;

/** Names of accounts by AppID, for lists of what happened with them; one request for all who ask. */
export function useAccountNames() {
  const live = useLive({
    key: ['account-names'],
    read: (api) => answerOf(api.GET('/admin/authorizers', { params: { query: { limit: MOST } } })),
  });
  const names = computed(
    () =>
      new Map(
        live.data.value?.authorizers.map(({ authorizerAppId, nickName }) => [
          authorizerAppId,
          nickName ?? '',
        ]),
      ),
  );
  /** Empty where it is not known. */
  const nameOf = (appid: string | null | undefined): string => names.value.get(appid ?? '') ?? '';
  return { nameOf };
}
