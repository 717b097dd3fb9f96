import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { sha256Hex } from '../common/secret.js';
import {
  APP_CONFIG,
  ConfigError,
  missingComponentProblems,
  type AppConfig,
  type ComponentSettings,
} from '../config/app-config.js';
import { ComponentDisabledError, ComponentUnknownError, type Component } from './component.js';
import { ComponentStore, type ComponentChange } from './component.store.js';

/** A change on another host is live here within this time, in milliseconds. */
const MAX_AGE_MS = 8000;
const REFRESH_AFTER_MS = 5000;
/** An unknown appid makes the list be read again, at most this often, in milliseconds. */
const UNKNOWN_RELOAD_MS = 1000;

/** The credentials that a new third-party platform needs. */
export type NewComponent = Required<
  Pick<ComponentChange, 'appSecret' | 'token' | 'encodingAesKey'>
> &
  Pick<ComponentChange, 'name'>;

/** The registered third-party platforms, read from memory, live on every host within 10 s. */
@Injectable()
export class ComponentService implements OnModuleInit {
  private readonly logger = new Logger(ComponentService.name);
  private readonly copy: HeldCopy<Map<string, Component>>;
  private reloadedForUnknownAt = -Infinity;

  constructor(
    private readonly store: ComponentStore,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    this.copy = new HeldCopy(() => store.all(), clock, {
      refreshAfterMs: REFRESH_AFTER_MS,
      maxAgeMs: MAX_AGE_MS,
    });
  }

  /** @throws {ConfigError} when neither the environment nor the database has a platform. */
  async onModuleInit(): Promise<void> {
    const { firstComponent } = this.config;
    if (firstComponent) await this.applyEnvironment(firstComponent);
    const components = await this.copy.reload();
    if (components.size === 0) throw new ConfigError(missingComponentProblems());
  }

  /** All platforms, in the order in which they were added. */
  async list(): Promise<Component[]> {
    return [...(await this.copy.get()).values()];
  }

  /** The platforms that are not disabled. */
  async enabled(): Promise<Component[]> {
    return (await this.list()).filter((component) => component.enabled);
  }

  /** @throws {ComponentUnknownError} */
  async get(appid: string): Promise<Component> {
    const found = (await this.copy.get()).get(appid) ?? (await this.lookAgain(appid));
    if (!found) throw new ComponentUnknownError(appid);
    return found;
  }

  /** @throws {ComponentUnknownError | ComponentDisabledError} */
  async getEnabled(appid: string): Promise<Component> {
    const component = await this.get(appid);
    if (!component.enabled) throw new ComponentDisabledError(appid);
    return component;
  }

  /** @throws {HubError} 409 `component_exists` */
  async add(appid: string, values: NewComponent): Promise<Component> {
    if (!(await this.store.add(appid, values))) {
      throw new HubError('component_exists', 'This third-party platform is registered already', {
        status: 409,
      });
    }
    await this.copy.reload();
    return this.get(appid);
  }

  /** @throws {ComponentUnknownError} */
  async change(appid: string, change: ComponentChange): Promise<Component> {
    if (!(await this.store.change(appid, () => change))) throw new ComponentUnknownError(appid);
    await this.copy.reload();
    return this.get(appid);
  }

  /** See {@link ComponentStore.claimStartPush}. */
  claimStartPush(appid: string, intervalMs: number): Promise<boolean> {
    return this.store.claimStartPush(appid, intervalMs);
  }

  private async lookAgain(appid: string): Promise<Component | undefined> {
    const now = this.clock.now();
    if (now - this.reloadedForUnknownAt < UNKNOWN_RELOAD_MS) return undefined;
    this.reloadedForUnknownAt = now;
    return (await this.copy.reload()).get(appid);
  }

  /**
   * Creates the environment's platform, or applies values of the environment that were never
   * applied before, as a rotation. A value that was applied once is not applied again: a host that
   * restarts with an old `.env` must not bring back a key that was changed by REST.
   */
  private async applyEnvironment(settings: ComponentSettings): Promise<void> {
    const values = valuesOf(settings);
    const names = namesOf(values);
    const appliedEnvironment = Object.values(names);
    const componentAppId = settings.appid;
    if (await this.store.add(componentAppId, { ...values, appliedEnvironment })) {
      const message = 'Registered the third-party platform of the environment';
      this.logger.log(message, { componentAppId });
      return;
    }
    await this.store.change(componentAppId, (applied) => {
      const isNew = ([field]: [string, unknown]): boolean => !applied.includes(names[field] ?? '');
      const fresh = Object.entries(values).filter(isNew);
      if (fresh.length === 0) return undefined;
      const changed = fresh.map(([field]) => field);
      const message = 'Applied the changed environment to the third-party platform';
      this.logger.log(message, { componentAppId, changed });
      return { ...Object.fromEntries(fresh), appliedEnvironment };
    });
  }
}

function valuesOf(settings: ComponentSettings): NewComponent & ComponentChange {
  const { previousToken, previousEncodingAesKey } = settings;
  return {
    appSecret: settings.appSecret.reveal(),
    token: settings.token.reveal(),
    encodingAesKey: settings.encodingAesKey.reveal(),
    ...(previousToken && { previousToken: previousToken.reveal() }),
    ...(previousEncodingAesKey && { previousEncodingAesKey: previousEncodingAesKey.reveal() }),
  };
}

/** By which the row remembers each value. */
function namesOf(values: object): Record<string, string> {
  const entries = Object.entries(values).map(([field, value]) => [
    field,
    `${field}:${sha256Hex(String(value))}`,
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}
