import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { isoTime } from '../common/times.js';
import { Database } from '../database/database.js';
import { removeInBatches } from '../database/remove-in-batches.js';
import { ReleaseCheckRun } from './release-check-run.entity.js';
import {
  toReleaseCheckRunView,
  type ReleaseCheck,
  type ReleaseCheckRunView,
} from './release-check.views.js';

/** Runs of a platform that are kept. */
const KEPT = 20;

/** The table of release checks that were played here. */
@Injectable()
export class ReleaseCheckRunStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Keeps a run in the place of the oldest beyond 20. */
  async keep(check: ReleaseCheck): Promise<ReleaseCheckRunView> {
    const { componentAppId } = check;
    const run = {
      id: uuidv7(),
      componentAppId,
      at: this.clock.now(),
      result: JSON.stringify(check),
    };
    await this.database.write((manager) => manager.insert(ReleaseCheckRun, run));
    const beyond = { where: { componentAppId }, order: { id: 'DESC' }, skip: KEPT } as const;
    await removeInBatches(this.database, ReleaseCheckRun, 'id', beyond);
    return toView(run);
  }

  /** The runs of a platform, newest first. */
  async list(componentAppId: string): Promise<ReleaseCheckRunView[]> {
    const newest = { where: { componentAppId }, order: { id: 'DESC' }, take: KEPT } as const;
    const rows = await this.database.read((manager) => manager.find(ReleaseCheckRun, newest));
    return rows.map(toView);
  }
}

function toView({ id, at, result }: ReleaseCheckRun): ReleaseCheckRunView {
  return toReleaseCheckRunView({ id, at: isoTime(at) }, JSON.parse(result) as ReleaseCheck);
}
