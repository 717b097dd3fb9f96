import { z } from 'zod';
import { componentFields } from '../config/variables.js';
import type { Component, Rotating, UnreadableComponent } from './component.js';

const isoTime = z.iso.datetime();
const rotatingView = z.object({
  changedAt: isoTime,
  previousAccepted: z.boolean(),
});

/** A third-party platform as `/admin/components` shows it: its secrets are write-only. */
export const componentView = z.object({
  componentAppId: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  createdAt: isoTime,
  updatedAt: isoTime,
  appSecret: rotatingView,
  token: rotatingView,
  encodingAesKey: rotatingView,
  error: z
    .object({ code: z.string(), message: z.string() })
    .optional()
    .describe('Why the secrets of this platform can not be read; absent where they can'),
});
export type ComponentView = z.infer<typeof componentView>;
type RotatingView = z.infer<typeof rotatingView>;
type SecretsView = Pick<ComponentView, 'appSecret' | 'token' | 'encodingAesKey' | 'error'>;

const credentials = {
  appSecret: componentFields.appSecret,
  token: componentFields.token,
  encodingAesKey: componentFields.encodingAesKey,
};

const name = z
  .string()
  .min(1)
  .max(128)
  .regex(/^\P{Cc}*$/u, 'must not have control characters');

/** The examples keep "Try it out" of /docs from filling in secrets of its own making. */
export const newComponentBody = z
  .strictObject({
    componentAppId: componentFields.appid,
    name: name.optional(),
    ...credentials,
  })
  .meta({
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
  .meta({ example: { name: 'Main platform' } });

export function toComponentView(component: Component | UnreadableComponent): ComponentView {
  return {
    componentAppId: component.appid,
    name: component.name,
    enabled: component.enabled,
    createdAt: toIso(component.createdAt),
    updatedAt: toIso(component.updatedAt),
    ...('error' in component ? toUnreadableView(component) : toSecretsView(component)),
  };
}

function toSecretsView(component: Component): SecretsView {
  return {
    appSecret: toRotatingView(component.appSecret),
    token: toRotatingView(component.token),
    encodingAesKey: toRotatingView(component.encodingAesKey),
  };
}

function toUnreadableView({ changedAt, error }: UnreadableComponent): SecretsView {
  const rotating = (at: number): RotatingView => ({
    changedAt: toIso(at),
    previousAccepted: false,
  });
  return {
    appSecret: rotating(changedAt.appSecret),
    token: rotating(changedAt.token),
    encodingAesKey: rotating(changedAt.encodingAesKey),
    error: { code: error.code, message: error.message },
  };
}

function toRotatingView({ changedAt, previous }: Rotating): RotatingView {
  return { changedAt: toIso(changedAt), previousAccepted: previous.length > 0 };
}

function toIso(ms: number): string {
  return new Date(ms).toISOString();
}

export const componentViewExample: ComponentView = {
  componentAppId: 'wx0123456789abcdef',
  name: 'Main platform',
  enabled: true,
  createdAt: '2026-11-22T08:00:00.000Z',
  updatedAt: '2026-11-22T08:00:00.000Z',
  appSecret: { changedAt: '2026-11-22T08:00:00.000Z', previousAccepted: false },
  token: { changedAt: '2026-11-22T08:00:00.000Z', previousAccepted: false },
  encodingAesKey: { changedAt: '2026-11-22T08:00:00.000Z', previousAccepted: false },
};
