import { z } from 'zod';
import { isoTime } from '../common/times.js';
import { nameText } from '../config/variables.js';
import { CALLER_KINDS, type Caller } from '../http/caller.js';
import { pageQuery, timeView } from '../http/field-schemas.js';
import { ROLES } from './operator.js';
import { SCOPES } from './scope.js';
import {
  CONFIRMED_MS,
  IDLE_MS,
  NAME_LENGTH,
  OPENED_BY,
  rightsOf,
  type KnownSession,
} from './session.js';

/** The answer to what has no other. */
export const doneView = z.object({ ok: z.literal(true) }).meta({ id: 'Done' });
export const DONE = { ok: true } as const;

/** Times of answers of which an example is shown. */
const CREATED = '2026-11-22T08:00:00.000Z';

/** A name that a person has or says. */
export const personName = nameText(NAME_LENGTH);
const token = z.string().min(1).max(512);
export const passwordText = z.string().min(1).max(256);
const oneTime = z.string().min(1).max(128);

const tokenSignIn = z.strictObject({
  token: token.describe('ADMIN_TOKEN'),
  name: personName.describe('What the person is called in the audit trail'),
});
const passwordSignIn = z.strictObject({
  // Whatever it is: an earlier version let in other names than today's.
  operator: z.string().trim().min(1).max(NAME_LENGTH),
  password: passwordText,
});
const linkSignIn = z.strictObject({
  link: oneTime.describe('The value of a sign-in link'),
  name: personName.optional().describe('Recorded beside the name of the link'),
});
export const signInBody = z
  .union([tokenSignIn, passwordSignIn, linkSignIn])
  .meta({ id: 'SignIn', example: { operator: 'Li Wei', password: 'a long password of mine' } });

export const invitationBody = z
  .strictObject({
    invitation: oneTime.describe('The value of the link that an owner handed over'),
    password: passwordText.describe('At least 12 characters, and not the name'),
  })
  .meta({
    id: 'AcceptInvitation',
    example: { invitation: 'value of the link', password: 'a long password of mine' },
  });

export const proofBody = z
  .union([z.strictObject({ token }), z.strictObject({ password: passwordText })])
  .meta({ id: 'Proof', example: { password: 'a long password of mine' } });

export const passwordBody = z.strictObject({ current: passwordText, password: passwordText }).meta({
  id: 'PasswordChange',
  example: { current: 'the password so far', password: 'a long password of mine' },
});

export const linkBody = z
  .strictObject({ name: personName.optional().describe('By default it names who makes the link') })
  .default({})
  .meta({ id: 'NewSignInLink', example: { name: 'Li Wei' } });

export const linkView = z
  .object({
    link: z.string().describe('Path and fragment at the console; works once'),
    expiresAt: timeView,
  })
  .meta({ id: 'SignInLink' });
export const linkExample = { link: '/console/#/sign-in?link=…', expiresAt: CREATED };

/** Who asks, as `/admin/session` shows it. */
export const whoView = z
  .object({
    kind: z.enum(CALLER_KINDS).describe('`token`: the admin token, by itself or by a session'),
    actor: z.string().describe('As in the audit trail'),
    name: z.string().nullable(),
    role: z.enum(ROLES).nullable().describe('Of a session; null without one'),
    scopes: z.array(z.enum(SCOPES)).nullable().describe('Of a session; null without one'),
    sessionId: z.string().nullable(),
    openedBy: z.enum(OPENED_BY).nullable(),
    expiresAt: timeView.nullable().describe('When the session ends in any case'),
    idleEndsAt: timeView.nullable().describe('When it ends unless it is used; to the minute'),
    confirmedUntil: timeView
      .nullable()
      .describe('Until then secrets are shown and changed without another confirmation'),
  })
  .meta({ id: 'Caller' });
export type WhoView = z.infer<typeof whoView>;
export const whoExample: WhoView = {
  kind: 'operator',
  actor: 'operator:01a2035a4b1b9c1d1f2e',
  name: 'Li Wei',
  role: 'operator',
  scopes: ['admin:read', 'events:read', 'token:refresh', 'admin:operate'],
  sessionId: '01a2035a4b1b9c1d1f2f',
  openedBy: 'password',
  expiresAt: '2026-11-22T20:00:00.000Z',
  idleEndsAt: '2026-11-22T09:00:00.000Z',
  confirmedUntil: '2026-11-22T08:10:00.000Z',
};

export const sessionListQuery = z.object(pageQuery({ most: 200, usual: 50 }));

/** A session as `/admin/sessions` shows it. */
export const sessionView = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    operatorId: z.string().nullable().describe('Null: opened by the admin token'),
    openedBy: z.enum(OPENED_BY),
    createdAt: timeView,
    lastSeenAt: timeView.describe('To the minute'),
    expiresAt: timeView,
    sourceAddress: z.string(),
    userAgent: z.string(),
    current: z.boolean().describe('Whether it is the one that asks'),
  })
  .meta({ id: 'Session' });
export type SessionView = z.infer<typeof sessionView>;
export const sessionListView = z
  .object({
    sessions: z.array(sessionView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'SessionPage' });
export const sessionExample: SessionView = {
  id: '01a2035a4b1b9c1d1f2f',
  name: 'Li Wei',
  role: 'operator',
  operatorId: '01a2035a4b1b9c1d1f2e',
  openedBy: 'password',
  createdAt: CREATED,
  lastSeenAt: '2026-11-22T08:51:00.000Z',
  expiresAt: '2026-11-22T20:00:00.000Z',
  sourceAddress: '192.0.2.1',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) …',
  current: true,
};

/** Who asks; with the session, where it is by one. */
export function toWhoView({ actor, kind, name }: Caller, known: KnownSession | undefined): WhoView {
  const { session } = known ?? {};
  const rights = known && rightsOf(known);
  const confirmedAt = session?.confirmedAt ?? null;
  const idleEnd = session && Math.min(session.lastSeenAt + IDLE_MS, session.expiresAt);
  return {
    kind,
    actor,
    name,
    role: rights?.role ?? null,
    scopes: rights?.scopes ?? null,
    sessionId: session?.id ?? null,
    openedBy: (session?.openedBy as WhoView['openedBy']) ?? null,
    expiresAt: isoTime(session?.expiresAt ?? null),
    idleEndsAt: isoTime(idleEnd ?? null),
    confirmedUntil: isoTime(confirmedAt && confirmedAt + CONFIRMED_MS),
  };
}

export function toSessionView(known: KnownSession, currentId: string | undefined): SessionView {
  const { id, operatorId, openedBy, createdAt, lastSeenAt, expiresAt } = known.session;
  const { sourceAddress, userAgent } = known.session;
  return {
    id,
    name: known.operator?.name ?? known.session.name,
    role: rightsOf(known).role,
    operatorId,
    openedBy: openedBy as SessionView['openedBy'],
    createdAt: isoTime(createdAt),
    lastSeenAt: isoTime(lastSeenAt),
    expiresAt: isoTime(expiresAt),
    sourceAddress,
    userAgent,
    current: id === currentId,
  };
}
