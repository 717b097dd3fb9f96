import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';
import { errorOf, problemView } from '../http/problem-view.js';
import { componentFields, nameText } from '../config/variables.js';
import { ROTATING_FIELDS, type Component, type PreviousUse, type Rotating } from './component.js';
import { isoTime } from '../common/times.js';

const lastUse = timeView
  .nullable()
  .describe('When WeChat has last used it, to the minute; null where it has not been seen');
const rotatingView = z
  .object({
    changedAt: timeView,
    lastUsedAt: lastUse,
    previousAccepted: z.boolean(),
    previousAcceptedUntil: timeView
      .nullable()
      .describe('The latest `endsAt` of `previous`; null where there is no such time'),
    previous: z
      .array(
        z.object({
          replacedAt: timeView,
          lastUsedAt: lastUse,
          endsAt: timeView
            .nullable()
            .describe(
              'The first use of the current one after this time ends it, unless it is used itself ' +
                'until then; null where only an operator ends it',
            ),
        }),
      )
      .describe('The values before that are still accepted, newest first'),
  })
  .meta({ id: 'RotatingCredential' });

/** Of which credential the previous values are ended: of all three where it is not said. */
export const endPreviousQuery = z.strictObject({ field: z.enum(ROTATING_FIELDS).optional() });

/** A third-party platform as `/admin/components` shows it: its secrets are write-only. */
export const componentView = z
  .object({
    componentAppId: z.string(),
    name: z.string(),
    enabled: z.boolean(),
    createdAt: timeView,
    updatedAt: timeView,
    appSecret: rotatingView,
    token: rotatingView,
    encodingAesKey: rotatingView,
    error: problemView
      .optional()
      .describe('Why the secrets of this platform cannot be read; absent where they can'),
  })
  .meta({ id: 'Component' });
export type ComponentView = z.infer<typeof componentView>;
type RotatingView = z.infer<typeof rotatingView>;

const credentials = {
  appSecret: componentFields.appSecret,
  token: componentFields.token,
  encodingAesKey: componentFields.encodingAesKey,
};

const name = nameText(128);

/** The examples keep "Try it out" of /docs from filling in secrets of its own making. */
export const newComponentBody = z
  .strictObject({
    componentAppId: componentFields.appid,
    name: name.optional(),
    ...credentials,
  })
  .meta({
    id: 'NewComponent',
    example: {
      componentAppId: 'wx0123456789abcdef',
      name: 'Main platform',
      appSecret: 'AppSecret of the WeChat console',
      token: 'Token of the WeChat console',
      encodingAesKey: 'EncodingAESKey of the WeChat console',
    },
  });

export const componentChangeBody = z
  .strictObject({
    name,
    enabled: z.boolean(),
    ...credentials,
  })
  .partial()
  .meta({ id: 'ComponentChange', example: { name: 'Main platform' } });

export function toComponentView(component: Component): ComponentView {
  const { problem } = component;
  // Of a platform that cannot be read nothing is in use.
  const view = (rotating: Rotating): RotatingView =>
    toRotatingView(problem ? { ...rotating, lastUsedAt: null, previousUses: [] } : rotating);
  return {
    componentAppId: component.appid,
    name: component.name,
    enabled: component.enabled,
    createdAt: isoTime(component.createdAt),
    updatedAt: isoTime(component.updatedAt),
    appSecret: view(component.appSecret),
    token: view(component.token),
    encodingAesKey: view(component.encodingAesKey),
    ...errorOf(problem),
  };
}

function toRotatingView({ changedAt, lastUsedAt, previousUses }: Rotating): RotatingView {
  return {
    changedAt: isoTime(changedAt),
    lastUsedAt: isoTime(lastUsedAt),
    previousAccepted: previousUses.length > 0,
    previousAcceptedUntil: isoTime(latestEnd(previousUses)),
    previous: previousUses.map((use) => ({
      replacedAt: isoTime(use.replacedAt),
      lastUsedAt: isoTime(use.lastUsedAt),
      endsAt: isoTime(use.endsAt),
    })),
  };
}

function latestEnd(uses: PreviousUse[]): number | null {
  const ends = uses.map(({ endsAt }) => endsAt).filter((end) => end !== null);
  return ends.length > 0 ? Math.max(...ends) : null;
}

const unchanged: RotatingView = {
  changedAt: '2026-11-22T08:00:00.000Z',
  lastUsedAt: '2026-11-29T08:00:00.000Z',
  previousAccepted: false,
  previousAcceptedUntil: null,
  previous: [],
};

export const componentViewExample: ComponentView = {
  componentAppId: 'wx0123456789abcdef',
  name: 'Main platform',
  enabled: true,
  createdAt: '2026-11-22T08:00:00.000Z',
  updatedAt: '2026-11-22T08:00:00.000Z',
  appSecret: unchanged,
  token: {
    ...unchanged,
    previousAccepted: true,
    previousAcceptedUntil: '2026-12-06T07:55:00.000Z',
    previous: [
      {
        replacedAt: '2026-11-22T08:00:00.000Z',
        lastUsedAt: '2026-11-29T07:55:00.000Z',
        endsAt: '2026-12-06T07:55:00.000Z',
      },
    ],
  },
  encodingAesKey: unchanged,
};
