/** An account of WeChat's own, by which it tests a platform before its release. */
export interface ReleaseCheckAccount {
  appid: string;
  /** Original id. */
  userName: string;
  type: 'official_account' | 'mini_program';
}

/**
 * The accounts of the release check (全网发布检测), five of each kind, as WeChat's instructions
 * (releases_instructions) list them.
 */
export const RELEASE_CHECK_ACCOUNTS: readonly ReleaseCheckAccount[] = [
  official('wx570bc396a51b8ff8', 'gh_3c884a361561'),
  official('wx9252c5e0bb1836fc', 'gh_c0f28a78b318'),
  official('wx8e1097c5bc82cde9', 'gh_3f222ed8d140'),
  official('wx14550af28c71a144', 'gh_26128078e9ab'),
  official('wxa35b9c23cfe664eb', 'gh_2b3713f184a6'),
  miniProgram('wxd101a85aa106f53e', 'gh_8dad206e9538'),
  miniProgram('wxc39235c15087f6f3', 'gh_905ae9d01059'),
  miniProgram('wx7720d01d4b2a4500', 'gh_393666f1fdf4'),
  miniProgram('wx05d483572dcd5d8b', 'gh_39abb5d4e1b7'),
  miniProgram('wx5910277cae6fd970', 'gh_7818dcb60240'),
];

const byAppId = new Map(RELEASE_CHECK_ACCOUNTS.map((account) => [account.appid, account]));

/** The test account of that appid; undefined for all other accounts. */
export function releaseCheckAccount(
  authorizerAppId: string | null,
): ReleaseCheckAccount | undefined {
  return byAppId.get(authorizerAppId ?? '');
}

/** Whether an account is one of these: the hub answers its messages, and notifies nobody of them. */
export function isReleaseCheckAccount(authorizerAppId: string | null): boolean {
  return releaseCheckAccount(authorizerAppId) !== undefined;
}

function official(appid: string, userName: string): ReleaseCheckAccount {
  return { appid, userName, type: 'official_account' };
}

function miniProgram(appid: string, userName: string): ReleaseCheckAccount {
  return { appid, userName, type: 'mini_program' };
}
