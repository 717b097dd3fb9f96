import { answerOf } from './api';
import { useLive } from './use-live';

/** What a link asks for; each as `/authorize/:componentAppId` takes it. */
export interface PageWish {
  auth_type?: string | undefined;
  biz_appid?: string | undefined;
  category_id_list?: string | undefined;
  state?: string | undefined;
  return_to?: string | undefined;
}

/** The hub's own page on which a merchant authorizes: its address, and where it may lead back to. */
export function useAuthorizationPage() {
  const live = useLive({
    key: ['instance'],
    read: (api) => answerOf(api.GET('/admin/instance')),
  });
  /** Undefined until the hub has said under which address it is reached. */
  const addressOf = (component: string, wish: PageWish = {}): string | undefined => {
    const template = live.data.value?.urls.authorization;
    if (template === undefined) return undefined;
    const given = Object.entries(wish).filter((one): one is [string, string] => !!one[1]);
    const query = new URLSearchParams(given).toString();
    const address = template.replace('{componentAppId}', encodeURIComponent(component));
    return query === '' ? address : `${address}?${query}`;
  };
  return { ...live, addressOf };
}
