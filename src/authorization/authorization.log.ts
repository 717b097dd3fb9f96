import { Injectable } from '@nestjs/common';
import type { ListedCode } from './authorization-code.store.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import type { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';

/** Links and codes that one page looks through: those of another platform, too. */
const SEARCHED = 1000;

/** A link from which no code has come back, or a code. */
export type ListedAuthorization = AuthorizationRequest | ListedCode;

interface Entry {
  /** When the link was given out or the code came, in Unix milliseconds. */
  at: number;
  id: string;
  row: ListedAuthorization;
}

/** Where a page begins: after the entry of this time and id. */
type Place = Pick<Entry, 'at' | 'id'>;

/** What came of authorizations, newest first: links that nobody used, too. */
@Injectable()
export class AuthorizationLog {
  constructor(
    private readonly requests: AuthorizationRequestStore,
    private readonly codes: AuthorizationCodeStore,
  ) {}

  /**
   * A page. One that has looked through many may end before it is full.
   * @param before `next` of the page before.
   */
  async page({
    component,
    before,
    limit,
  }: {
    component?: string | undefined;
    before?: string | undefined;
    limit: number;
  }): Promise<{ rows: ListedAuthorization[]; next: string | null }> {
    const searched = await this.search(before === undefined ? undefined : placeOf(before));
    const found = searched.filter((entry) => isListed(entry, component));
    const rows = found.slice(0, limit);
    const last = rows.length === limit ? rows.at(-1) : moreAfter(searched);
    return {
      rows: rows.map(({ row }) => row),
      next: last ? `${last.at}.${last.id}` : null,
    };
  }

  private async search(place: Place | undefined): Promise<Entry[]> {
    const [requests, codes] = await Promise.all([
      this.requests.listed(place, SEARCHED),
      this.codes.listed(place, SEARCHED),
    ]);
    return [
      ...requests.map((row): Entry => ({ at: row.createdAt, id: row.id, row })),
      ...codes.map((row): Entry => ({ at: row.receivedAt, id: row.codeHash, row })),
    ]
      .toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
      .slice(0, SEARCHED); // What comes after may lack entries of the one that was cut off.
  }
}

/** A link that a code came back for is part of the code's entry. */
function isListed({ row }: Entry, component: string | undefined): boolean {
  if ('createdAt' in row && row.codeHash !== null) return false;
  return component === undefined || row.componentAppId === component;
}

function moreAfter(searched: Entry[]): Entry | undefined {
  return searched.length === SEARCHED ? searched.at(-1) : undefined;
}

function placeOf(cursor: string): Place {
  const [at = '', id = ''] = cursor.split('.');
  return { at: Number(at), id };
}
