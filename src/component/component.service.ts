import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { sha256Hex } from '../common/secret.js';
import { APP_CONFIG, type AppConfig, type ComponentSettings } from '../config/app-config.js';
import { SecretUnreadableError } from '../secrets/secret-box.js';
import {
  ComponentDisabledError,
  ComponentUnknownError,
  ComponentUnreadableError,
  ROTATING_FIELDS,
  type Component,
  type RotatingField,
  type StartPushClaim,
  type UsedCredentials,
} from './component.js';
import { ComponentStore, namesIn, type ComponentChange } from './component.store.js';
import { CredentialUses } from './credential-uses.js';

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
  /** By appid, in the order in which they were added. */
  private readonly copy: HeldCopy<Map<string, Component>>;
  private reloadedForUnknownAt = -Infinity;

  constructor(
    private readonly store: ComponentStore,
    private readonly uses: CredentialUses,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    this.copy = new HeldCopy(() => this.load(), clock, {
      refreshAfterMs: REFRESH_AFTER_MS,
      maxAgeMs: MAX_AGE_MS,
    });
  }

  async onModuleInit(): Promise<void> {
    const { firstComponent } = this.config;
    if (firstComponent) await this.applyEnvironment(firstComponent);
    if ((await this.copy.reload()).size === 0) {
      this.logger.warn(
        'There is no third-party platform yet: add one at /console, or by POST /admin/components',
      );
    }
  }

  /** All platforms, readable or not, in the order in which they were added. */
  async list(): Promise<Component[]> {
    return [...(await this.copy.get()).values()];
  }

  /** The platforms that can be read and are not disabled. */
  async enabled(): Promise<Component[]> {
    return (await this.list()).filter(isUsable);
  }

  /** Whether memory, however old, has the platform: to name it where nothing depends on that. */
  isRegistered(appid: string): boolean {
    return this.copy.last?.has(appid) ?? false;
  }

  /** @throws {ComponentUnknownError | ComponentUnreadableError} */
  async get(appid: string): Promise<Component> {
    const found = await this.find(appid);
    if (found.problem) throw new ComponentUnreadableError(appid, found.problem);
    return found;
  }

  /** For inspection: the platform, readable or not. @throws {ComponentUnknownError} */
  async find(appid: string): Promise<Component> {
    const all = this.copy.fresh ?? (await this.copy.get());
    const found = all.get(appid) ?? (await this.lookAgain(appid));
    if (!found) throw new ComponentUnknownError(appid);
    return found;
  }

  /** @throws {ComponentUnknownError | ComponentUnreadableError | ComponentDisabledError} */
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

  /**
   * Changes a platform. Where its secrets cannot be read, all of them together replace those.
   * @throws {ComponentUnknownError | ComponentUnreadableError}
   */
  async change(appid: string, change: ComponentChange): Promise<Component> {
    const known = (await this.copy.get()).get(appid);
    const repairs = known?.problem && ROTATING_FIELDS.every((field) => change[field]);
    // What the environment had is unreadable too: its values of now must not count as new ones.
    const whole = repairs ? { ...change, appliedEnvironment: this.environmentOf(appid) } : change;
    if (!(await this.store.change(appid, () => whole))) throw new ComponentUnknownError(appid);
    await this.copy.reload();
    return this.find(appid);
  }

  /**
   * Ends the values before the current one at once: pushes under them are refused from now on.
   * @throws {ComponentUnknownError}
   */
  async endPrevious(
    appid: string,
    fields: readonly RotatingField[] = ROTATING_FIELDS,
  ): Promise<Component> {
    if (!(await this.store.endPrevious(appid, fields))) throw new ComponentUnknownError(appid);
    await this.copy.reload();
    return this.find(appid);
  }

  /** WeChat has pushed under these values, or has taken them; see {@link CredentialUses.note}. */
  noteUse(appid: string, used: UsedCredentials): void {
    this.uses.note(appid, used, () => this.copy.reload());
  }

  /** See {@link ComponentStore.claimStartPush}. */
  claimStartPush(appid: string, intervalMs: number): Promise<StartPushClaim> {
    return this.store.claimStartPush(appid, intervalMs);
  }

  private async load(): Promise<Map<string, Component>> {
    return new Map((await this.store.all()).map((component) => [component.appid, component]));
  }

  private async lookAgain(appid: string): Promise<Component | undefined> {
    const now = this.clock.elapsed();
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
    const componentAppId = settings.appid;
    const appliedEnvironment = this.environmentOf(componentAppId);
    if (await this.store.add(componentAppId, { ...valuesOf(settings), appliedEnvironment })) {
      const message = 'Registered the third-party platform of the environment';
      this.logger.log(message, { componentAppId });
      return;
    }
    try {
      await this.store.change(componentAppId, (applied) =>
        this.freshOf(settings, namesIn(applied)),
      );
    } catch (error) {
      const unreadable =
        error instanceof SecretUnreadableError || error instanceof ComponentUnreadableError;
      if (!unreadable) throw error;
      const message = 'The environment is not applied to a platform that cannot be read';
      this.logger.warn(message, { componentAppId });
    }
  }

  /** The values that no environment had before; nothing where there are none. */
  private freshOf(settings: ComponentSettings, applied: string[]): ComponentChange | undefined {
    const values = valuesOf(settings);
    const names = namesOf(values);
    const isNew = ([field]: [string, unknown]): boolean => !applied.includes(names[field] ?? '');
    const fresh = Object.entries(values).filter(isNew);
    if (fresh.length === 0) return undefined;
    const changed = fresh.map(([field]) => field);
    const message = 'Applied the changed environment to the third-party platform';
    this.logger.log(message, { componentAppId: settings.appid, changed });
    return { ...Object.fromEntries(fresh), appliedEnvironment: Object.values(names) };
  }

  /** Names of the values that this host's environment has for a platform. */
  private environmentOf(appid: string): string[] {
    const { firstComponent } = this.config;
    return firstComponent?.appid === appid ? Object.values(namesOf(valuesOf(firstComponent))) : [];
  }
}

function isUsable({ enabled, problem }: Component): boolean {
  return enabled && !problem;
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
