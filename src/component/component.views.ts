import { z } from 'zod';
import { componentFields } from '../config/variables.js';
import type { Component, Rotating } from './component.js';

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
});
export type ComponentView = z.infer<typeof componentView>;

const credentials = {
  appSecret: componentFields.appSecret,
  token: componentFields.token,
  encodingAesKey: componentFields.encodingAesKey,
};

/** The examples keep "Try it out" of /docs from filling in secrets of its own making. */
export const newComponentBody = z
  .strictObject({
    componentAppId: componentFields.appid,
    name: z.string().min(1).max(128).optional(),
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
    name: z.string().min(1).max(128),
    enabled: z.boolean(),
    ...credentials,
  })
  .partial()
  .meta({ example: { name: 'Main platform' } });

export function toComponentView(component: Component): ComponentView {
  return {
    componentAppId: component.appid,
    name: component.name,
    enabled: component.enabled,
    createdAt: new Date(component.createdAt).toISOString(),
    updatedAt: new Date(component.updatedAt).toISOString(),
    appSecret: toRotatingView(component.appSecret),
    token: toRotatingView(component.token),
    encodingAesKey: toRotatingView(component.encodingAesKey),
  };
}

function toRotatingView({ changedAt, previous }: Rotating): z.infer<typeof rotatingView> {
  return { changedAt: new Date(changedAt).toISOString(), previousAccepted: previous !== undefined };
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
