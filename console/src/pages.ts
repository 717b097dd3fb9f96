import type { Component } from 'vue';
import type { IconName } from './parts/icons';

/** The place of a page in the navigation, and the letter that leads to it after `g`. */
interface Entry {
  group: 'watch' | 'connect' | 'maintain';
  icon: IconName;
  letter: string;
  /** In the bar at the foot of a phone. */
  onPhone?: boolean;
}

export interface PageRow {
  /** `pages.<name>` in the catalogues is its title; the name of its route. */
  name: string;
  path: string;
  load: () => Promise<{ default: Component }>;
  entry?: Entry;
  /** The entry that is lit while a page without one is open. */
  below?: string;
  /** Open without a session, and without the frame. */
  open?: boolean;
}

/** Every page. A new one is a file of `pages/` and a row here. */
export const PAGES: PageRow[] = [
  {
    name: 'signIn',
    path: '/sign-in',
    load: () => import('./pages/sign-in.vue'),
    open: true,
  },
  {
    name: 'welcome',
    path: '/welcome',
    load: () => import('./pages/welcome.vue'),
    open: true,
  },
  {
    name: 'overview',
    path: '/',
    load: () => import('./pages/overview.vue'),
    entry: { group: 'watch', icon: 'gauge', letter: 'o', onPhone: true },
  },
  {
    name: 'messages',
    path: '/messages',
    load: () => import('./pages/messages.vue'),
    entry: { group: 'watch', icon: 'message', letter: 'm', onPhone: true },
  },
  {
    name: 'message',
    path: '/messages/:id',
    load: () => import('./pages/messages.vue'),
    below: 'messages',
  },
  {
    name: 'deliveries',
    path: '/deliveries',
    load: () => import('./pages/deliveries.vue'),
    entry: { group: 'watch', icon: 'send', letter: 'd', onPhone: true },
  },
  {
    name: 'delivery',
    path: '/deliveries/:id',
    load: () => import('./pages/deliveries.vue'),
    below: 'deliveries',
  },
  {
    name: 'platforms',
    path: '/platforms',
    load: () => import('./pages/platforms.vue'),
    entry: { group: 'connect', icon: 'layers', letter: 'p' },
  },
  {
    name: 'addPlatform',
    path: '/platforms/new',
    load: () => import('./pages/platform-add.vue'),
    below: 'platforms',
  },
  {
    name: 'platform',
    path: '/platforms/:componentAppId',
    load: () => import('./pages/platform.vue'),
    below: 'platforms',
  },
  {
    name: 'accounts',
    path: '/accounts',
    load: () => import('./pages/accounts.vue'),
    entry: { group: 'connect', icon: 'people', letter: 'a', onPhone: true },
  },
  {
    name: 'account',
    path: '/accounts/:componentAppId/:authorizerAppId',
    load: () => import('./pages/account.vue'),
    below: 'accounts',
  },
  {
    name: 'links',
    path: '/links',
    load: () => import('./pages/links.vue'),
    entry: { group: 'connect', icon: 'link', letter: 'l' },
  },
  {
    name: 'subscriptions',
    path: '/subscriptions',
    load: () => import('./pages/subscriptions.vue'),
    entry: { group: 'connect', icon: 'bell', letter: 's' },
  },
  {
    name: 'subscription',
    path: '/subscriptions/:id',
    load: () => import('./pages/subscription.vue'),
    below: 'subscriptions',
  },
  {
    name: 'releaseCheck',
    path: '/release-check',
    load: () => import('./pages/release-check.vue'),
    entry: { group: 'maintain', icon: 'check', letter: 'r' },
  },
  {
    name: 'doctor',
    path: '/doctor',
    load: () => import('./pages/doctor.vue'),
    entry: { group: 'maintain', icon: 'pulse', letter: 'x' },
  },
  {
    name: 'audit',
    path: '/audit',
    load: () => import('./pages/audit.vue'),
    below: 'settings',
  },
  {
    name: 'settings',
    path: '/settings',
    load: () => import('./pages/settings.vue'),
    entry: { group: 'maintain', icon: 'sliders', letter: 'e' },
  },
];

export const GROUPS = ['watch', 'connect', 'maintain'] as const;

export function entriesOf(group: Entry['group']): (PageRow & { entry: Entry })[] {
  return PAGES.filter((page): page is PageRow & { entry: Entry } => page.entry?.group === group);
}
