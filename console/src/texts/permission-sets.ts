/** A permission set (权限集): what it lets the platform do; {@link PERMISSION_SETS}. */
export interface PermissionSet {
  id: number;
  of: 'official_account' | 'mini_program';
  zh: string;
  en: string;
  /** An account grants it to one platform only. */
  exclusive?: true;
}

/**
 * The permission sets of WeChat's two pages, product/offical_account_authority and
 * product/miniprogram_authority. One that is not here is shown by its number.
 */
export const PERMISSION_SETS: readonly PermissionSet[] = [
  { id: 1, of: 'official_account', zh: '消息管理', en: 'Messages' },
  { id: 2, of: 'official_account', zh: '用户管理', en: 'Users' },
  { id: 3, of: 'official_account', zh: '账号服务', en: 'Account service' },
  { id: 4, of: 'official_account', zh: '网页服务', en: 'Web pages', exclusive: true },
  { id: 5, of: 'official_account', zh: '微信小店', en: 'WeChat shop' },
  { id: 6, of: 'official_account', zh: '微信多客服', en: 'Customer service desks' },
  { id: 7, of: 'official_account', zh: '群发与通知', en: 'Broadcasts and notices' },
  { id: 8, of: 'official_account', zh: '微信卡券', en: 'Cards and coupons' },
  { id: 9, of: 'official_account', zh: '微信扫一扫', en: 'Scan' },
  { id: 10, of: 'official_account', zh: '微信连WIFI', en: 'Wi-Fi' },
  { id: 11, of: 'official_account', zh: '素材管理', en: 'Materials' },
  { id: 12, of: 'official_account', zh: '微信摇周边', en: 'Shake nearby' },
  { id: 13, of: 'official_account', zh: '微信门店', en: 'Stores' },
  { id: 15, of: 'official_account', zh: '菜单管理', en: 'Menu' },
  { id: 22, of: 'official_account', zh: '城市服务接口', en: 'City services' },
  { id: 23, of: 'official_account', zh: '广告管理', en: 'Advertising' },
  {
    id: 24,
    of: 'official_account',
    zh: '开放平台账号管理',
    en: 'Open Platform account',
    exclusive: true,
  },
  { id: 26, of: 'official_account', zh: '微信电子发票', en: 'Electronic invoices' },
  { id: 27, of: 'official_account', zh: '快速注册小程序', en: 'Fast registration' },
  { id: 33, of: 'official_account', zh: '小程序关联管理', en: 'Linked mini programs' },
  { id: 54, of: 'official_account', zh: '服务号对话管理', en: 'Conversations', exclusive: true },
  { id: 89, of: 'official_account', zh: '服务号订阅通知', en: 'Subscription notices' },
  { id: 17, of: 'mini_program', zh: '获取小程序码', en: 'Mini program codes' },
  {
    id: 18,
    of: 'mini_program',
    zh: '小程序开发与数据分析',
    en: 'Development and analysis',
    exclusive: true,
  },
  { id: 19, of: 'mini_program', zh: '小程序客服管理', en: 'Customer service' },
  {
    id: 25,
    of: 'mini_program',
    zh: '开放平台账号管理',
    en: 'Open Platform account',
    exclusive: true,
  },
  { id: 30, of: 'mini_program', zh: '小程序基本信息管理', en: 'Basic information' },
  { id: 31, of: 'mini_program', zh: '小程序认证名称检测', en: 'Name check' },
  { id: 36, of: 'mini_program', zh: '微信卡路里管理', en: 'Calories' },
  { id: 37, of: 'mini_program', zh: '附近的小程序管理', en: 'Nearby mini programs' },
  { id: 40, of: 'mini_program', zh: '小程序插件管理', en: 'Plug-ins', exclusive: true },
  { id: 41, of: 'mini_program', zh: '好物圈管理', en: 'Shopping lists' },
  { id: 45, of: 'mini_program', zh: '微信物流服务', en: 'Logistics', exclusive: true },
  { id: 76, of: 'mini_program', zh: '违规与交易投诉管理', en: 'Violations and complaints' },
];

const BY_ID = new Map(PERMISSION_SETS.map((set) => [set.id, set]));

export function permissionSet(id: number): PermissionSet | undefined {
  return BY_ID.get(id);
}
