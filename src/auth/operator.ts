import type { ScopeName } from './scope.js';

/** What a person may do in the console. */
export const ROLES = ['viewer', 'operator', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** Somebody who may use the console. Times are Unix milliseconds. */
export interface Operator {
  id: string;
  name: string;
  role: Role;
  enabled: boolean;
  /** Whether a viewer may read the content of pushes. */
  readsContent: boolean;
  /** See `hashPassword`; null until the operator has set one. */
  password: string | null;
  invitationUntil: number | null;
  signedInAt: number | null;
  createdAt: number;
}

/** The values that an owner sets. */
export type OperatorValues = Pick<Operator, 'name' | 'role' | 'enabled' | 'readsContent'>;

const SCOPES_OF_ROLE: Record<Role, ScopeName[]> = {
  viewer: ['admin:read'],
  operator: ['admin:read', 'events:read', 'token:refresh', 'admin:operate'],
  owner: ['admin:read', 'events:read', 'token:refresh', 'admin:operate', 'admin'],
};

/** The scopes of a role; those of a viewer may have the content of pushes beside them. */
export function scopesOf({
  role,
  readsContent,
}: Pick<Operator, 'role' | 'readsContent'>): ScopeName[] {
  const scopes = SCOPES_OF_ROLE[role];
  return role === 'viewer' && readsContent ? [...scopes, 'events:read'] : scopes;
}
