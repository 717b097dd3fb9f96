import { createRouter, createWebHistory } from 'vue-router';
import { knowSession } from './data/session';
import { PAGES } from './pages';

/**
 * Secrets of a link, `/console/#/sign-in?link=…`: behind the `#`, so that no server is sent them,
 * and gone from the address before anything is shown.
 */
export const linkSecrets: { link?: string; invitation?: string } = {};

/** Leads from the address behind the `#` to the page that it names. */
function readLink(): string | undefined {
  const { hash } = window.location;
  if (!hash.startsWith('#/')) return undefined;
  const { pathname, searchParams } = new URL(hash.slice(1), window.location.origin);
  for (const name of ['link', 'invitation'] as const) {
    const secret = searchParams.get(name);
    if (secret) linkSecrets[name] = secret;
  }
  return pathname;
}

const linked = readLink();
if (linked !== undefined) window.history.replaceState(null, '', `/console${linked}`);

export const router = createRouter({
  history: createWebHistory('/console'),
  routes: [
    ...PAGES.map(({ name, path, load, entry, below, open = false }) => ({
      name,
      path,
      component: load,
      meta: { open, lit: entry ? name : below },
    })),
    { path: '/:rest(.*)*', name: 'nowhere', component: () => import('./pages/nowhere.vue') },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
});

router.beforeEach(async (to) => {
  if (to.meta.open) return true;
  // A hub that does not answer is the banner's to say; the page shows what it can.
  const session = await knowSession().catch(() => undefined);
  if (session !== null) return true;
  return { name: 'signIn', query: to.fullPath === '/' ? {} : { back: to.fullPath } };
});

/** When the page was last loaded again, so that it is not over and over. */
const RENEWED = 'component-hub.renewed';
const RENEWED_MS = 10_000;
let isFileGone = false;

/** After an update of the hub the files of a page that is open have other names: loads it again. */
async function renew(path: string): Promise<void> {
  isFileGone = false;
  if (Date.now() - Number(sessionStorage.getItem(RENEWED)) < RENEWED_MS) return;
  const address = `/console${path}`;
  // A hub that is away has not changed its files; the banner says that it is.
  const isThere = await fetch(address)
    .then(({ ok }) => ok)
    .catch(() => false);
  if (!isThere) return;
  sessionStorage.setItem(RENEWED, String(Date.now()));
  window.location.assign(address);
}

window.addEventListener('vite:preloadError', () => {
  isFileGone = true;
  // A file of the page that is being gone to is the router's: it knows where to.
  setTimeout(() => isFileGone && void renew(router.currentRoute.value.fullPath));
});
router.onError((_, to) => {
  if (isFileGone) void renew(to.fullPath);
});
