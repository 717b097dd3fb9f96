import { computed, ref } from 'vue';
import { ApiError, request } from './api';

export type Role = 'viewer' | 'operator' | 'owner';

/** Who is signed in, as `GET /admin/session` says. */
export interface Session {
  kind: 'token' | 'operator' | 'key' | 'system';
  name: string | null;
  role: Role | null;
  scopes: string[] | null;
  sessionId: string | null;
  expiresAt: string | null;
}

/** The session of this browser: undefined until it was asked for, null where there is none. */
export const session = ref<Session | null>();

const canAct = computed(() => ['operator', 'owner'].includes(session.value?.role ?? ''));
const isOwner = computed(() => session.value?.role === 'owner');

/** What the person may do. The hub decides; this only hides what it would refuse. */
export function useRole() {
  return { canAct, isOwner };
}

/** Asks the hub who is signed in, once. */
export async function knowSession(): Promise<Session | null> {
  if (session.value === undefined) {
    try {
      session.value = await request<Session>('GET', '/admin/session');
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      session.value = null;
    }
  }
  return session.value ?? null;
}

/** What opens a session: the admin token, an operator's password, a link that works once. */
export type Credential =
  { token: string; name: string } | { operator: string; password: string } | { link: string };

export async function signIn(credential: Credential): Promise<void> {
  session.value = await request<Session>('POST', '/admin/session', credential);
}

/** An invited operator sets the password and is signed in. */
export async function acceptInvitation(invitation: string, password: string): Promise<void> {
  const body = { invitation, password };
  session.value = await request<Session>('POST', '/admin/session/invitation', body);
}

/** Says the token or the password again, for what wants it fresh. */
export async function confirmSession(secret: string): Promise<void> {
  const key = session.value?.kind === 'operator' ? 'password' : 'token';
  await request('POST', '/admin/session/confirm', { [key]: secret });
}

export async function signOut(): Promise<void> {
  await request('DELETE', '/admin/session').catch((error: unknown) => {
    // It had ended by itself.
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  });
  session.value = null;
}
