/** What is compared: accounts of one platform and type should have granted the same. */
interface Granted {
  componentAppId: string;
  type: string;
  status: string;
  funcInfo: number[];
}

/** Which permission sets an account lacks that others of its platform and type have granted. */
export function othersHave(accounts: readonly Granted[]): (account: Granted) => number[] {
  const kindOf = ({ componentAppId, type }: Granted): string => `${componentAppId} ${type}`;
  const granted = new Map<string, Set<number>>();
  for (const account of accounts) {
    if (account.status !== 'active') continue;
    const known = granted.get(kindOf(account)) ?? new Set();
    for (const id of account.funcInfo) known.add(id);
    granted.set(kindOf(account), known);
  }
  return (account) => {
    const known = granted.get(kindOf(account)) ?? new Set<number>();
    return [...known].filter((id) => !account.funcInfo.includes(id)).toSorted((a, b) => a - b);
  };
}
