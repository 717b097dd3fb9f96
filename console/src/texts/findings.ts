/**
 * What the doctor finds in Chinese, by its codes (`src/doctor/findings.ts`); in English it is shown as
 * the hub says it. `{name}` is the place of a fact.
 */
export const findings: Record<string, { seen: string; remedy?: string }> = {
  check_failed: { seen: '检查本身出错：{message}', remedy: '请查看服务日志。' },
  check_late: {
    seen: '检查在 {seconds} 秒内没有完成',
    remedy: '请检查数据库与网络，然后重新诊断。',
  },
  no_database: { seen: '需要数据库，未检查' },
  only_asked: { seen: '未检查：会调用微信或推送。可用 POST /admin/doctor 或 --ask 检查' },
  public_url_ok: { seen: 'PUBLIC_URL 为 {url}' },
  public_url_unset: {
    seen: '没有设置 PUBLIC_URL，目前使用 {url}',
    remedy: '请将 PUBLIC_URL 设为微信与浏览器访问本服务的地址。',
  },
  public_url_local: {
    seen: 'PUBLIC_URL 为 {url}，只有本机可以访问',
    remedy: '请将 PUBLIC_URL 设为微信与浏览器访问本服务的地址。',
  },
  public_url_http: {
    seen: 'PUBLIC_URL 为 {url}：浏览器发送的内容在途中可被读取',
    remedy: '请在服务前配置 TLS，并将 PUBLIC_URL 设为 https: 地址。',
  },
  admin_token_ok: { seen: '管理令牌足够长，且字符多样' },
  admin_token_made: { seen: '管理令牌由服务首次启动时生成' },
  admin_token_weak: {
    seen: 'ADMIN_TOKEN 只含 {count} 种字符',
    remedy: '请重新生成：openssl rand -hex 24',
  },
  settings_ok: { seen: '没有设置削弱保护' },
  settings_doubtful: { seen: '削弱保护的设置：{count} 项', remedy: '如非有意，请修改。' },
  settings_invalid: { seen: '使服务无法启动的设置：{count} 项', remedy: '请修改下列各项。' },
  files_ok: { seen: '服务可用、他人不可读的文件：{count} 个' },
  files_open: {
    seen: '本机其他用户可读的文件：{count} 个',
    remedy: '请逐个执行：chmod 600 文件',
  },
  files_unusable: {
    seen: '服务无法使用的文件与目录：{count} 个',
    remedy: '请按下列各行处理。',
  },
  database_ok: { seen: '写入 {write} 毫秒，读取 {read} 毫秒' },
  database_slow: {
    seen: '数据库较慢：写入 {write} 毫秒，读取 {read} 毫秒',
    remedy: '请检查磁盘或数据库服务器是否过载。微信只等 5 秒。',
  },
  database_down: {
    seen: '无法写入数据库：{message}',
    remedy: '请检查磁盘、数据库服务器与锁。恢复之前，推送会被拒绝。',
  },
  database_unreachable: {
    seen: '无法打开数据库：{message}',
    remedy: '请修改 DATABASE_URL，或启动数据库。',
  },
  server_ok: { seen: '{product} {version}，服务器时区：{zone}' },
  server_old: {
    seen: '{product} {version} 低于经过测试的版本',
    remedy: '请升级到 MySQL 8.4 或 MariaDB 10.11。',
  },
  server_charset: {
    seen: '字符集不是 utf8mb4 的表：{count} 个',
    remedy: '请逐个执行：ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin。',
  },
  server_journal: {
    seen: '{product} {version} 的写入方式为 {journal}，不是 wal',
    remedy: '请让服务在其上启动，会设为 wal；不支持 wal 的文件系统不是本地磁盘。',
  },
  schema_ok: { seen: '表结构已是最新' },
  schema_behind: {
    seen: '数据库尚缺的迁移：{count} 个',
    remedy: '请运行 npm run migration:run，或重启服务。',
  },
  schema_ahead: {
    seen: '此版本不认识的迁移：{count} 个',
    remedy: '数据库已被更新的版本使用过，请一并升级此服务。',
  },
  disk_ok: { seen: '数据库文件所在磁盘剩余 {megabytes} MiB' },
  disk_low: {
    seen: '数据库文件所在磁盘仅剩 {megabytes} MiB',
    remedy: '请清理空间，或缩短推送的保留天数。',
  },
  disk_full: {
    seen: '数据库文件所在磁盘只剩 {megabytes} MiB，无法继续',
    remedy: '请立即清理空间：无法写入时推送会被拒绝。',
  },
  disk_elsewhere: { seen: '看不到数据库服务器的磁盘' },
  replication_none: { seen: '数据库不是从库' },
  replication_hidden: { seen: '此用户无权查看数据库是否为从库' },
  replication_ok: { seen: '从库落后 {seconds} 秒' },
  replication_late: {
    seen: '从库落后 {seconds} 秒',
    remedy: '请让服务使用主库：读到的旧数据会出错。',
  },
  replication_broken: {
    seen: '数据库是从库，但收不到主库的数据',
    remedy: '请修复复制，或让服务使用主库。',
  },
  database_clock_ok: { seen: '与数据库的时间相差 {seconds} 秒' },
  database_clock_off: {
    seen: '与数据库的时间相差 {seconds} 秒',
    remedy: '请用 NTP 校准两台机器的时钟。',
  },
  database_clock_same: { seen: '数据库使用本机时钟' },
  clock_ok: { seen: '与微信的时间相差 {seconds} 秒' },
  clock_off: { seen: '与微信的时间相差 {seconds} 秒', remedy: '请用 NTP 校准本机时钟。' },
  clock_wrong: {
    seen: '与微信的时间相差 {seconds} 秒，推送可能因时间被拒绝',
    remedy: '请用 NTP 校准本机时钟。',
  },
  clock_unknown: { seen: '微信没有给出时间' },
  wechat_unreachable: {
    seen: '微信没有应答：{message}',
    remedy: '请检查到 WECHAT_API_BASE_URL 的 DNS、防火墙与代理。',
  },
  proxy_none: { seen: '没有设置代理：微信与投递均直接连接' },
  proxy_unused: { seen: '{host} 直接连接：NO_PROXY 含有它，或代理用于其他地址' },
  proxy_ok: { seen: '{host} 经代理 {proxy} 连接' },
  proxy_unreachable: {
    seen: '无法连接外网：{message}',
    remedy: '请更正 HTTPS_PROXY 或 HTTP_PROXY，或让本机能连接代理。',
  },
  wechat_ok: { seen: '{host} 在 {milliseconds} 毫秒内应答' },
  wechat_dns: {
    seen: '域名 {host} 解析失败：{message}',
    remedy: '请检查本机 DNS 与 WECHAT_API_BASE_URL。',
  },
  wechat_tls: {
    seen: '无法与 {host} 建立 TLS：{message}',
    remedy:
      '途中有设备读取或改动 TLS，或本机时钟有误。自有代理的根证书请用 NODE_EXTRA_CA_CERTS 指定。',
  },
  wechat_proxy: {
    seen: '无法连接 {host}：{message}',
    remedy: '请检查 HTTPS_PROXY 及其用户名密码、NO_PROXY 和代理的放行规则。',
  },
  platforms_ok: { seen: '第三方平台：{count} 个' },
  platforms_none: {
    seen: '还没有第三方平台',
    remedy: '请在控制台添加，或调用 POST /admin/components。',
  },
  platform_disabled: { seen: '此平台已停用' },
  platform_unreadable: {
    seen: '无法读取此平台的秘密：{message}',
    remedy: '请在 MASTER_KEYS 中补上缺少的密钥，或重新填写这些秘密。',
  },
  outside_ok: { seen: '{url} 在 {milliseconds} 毫秒内到达本服务，路径与参数未变' },
  outside_certificate: {
    seen: '{url} 的证书还有 {days} 天到期',
    remedy: '请更新证书：证书过期后微信不再推送。',
  },
  outside_unset: { seen: '没有设置 PUBLIC_URL' },
  outside_no_platform: {
    seen: '{url} 在 {milliseconds} 毫秒内应答；没有第三方平台，无法进一步检查',
  },
  way_dns: { seen: '{url} 的域名解析失败：{message}', remedy: '请添加 DNS 记录，并等待生效。' },
  way_tls: {
    seen: '{url} 的证书不被接受：{message}',
    remedy: '请让代理发送此域名的有效证书及完整证书链。',
  },
  way_unreachable: {
    seen: '本机无法访问 {url}：{message}',
    remedy: '请检查 443 或 80 端口、防火墙、代理，以及内网能否访问自身的公网地址。',
  },
  way_redirect: {
    seen: '{url} 跳转到 {location}，微信不会跟随',
    remedy: '请让代理直接响应 /callback，http 与 https 均如此。',
  },
  way_query: {
    seen: '经过 {url} 时参数丢失或被改动：{answer}',
    remedy: '请让代理原样转发路径与参数。',
  },
  way_path: {
    seen: '经过 {url} 时路径丢失或被改动，或应答的是另一个服务：{answer}',
    remedy: '请让代理将 /callback 连同路径与参数原样转发到本服务。',
  },
  way_changed: {
    seen: '经过 {url} 时应答被改动：{answer}',
    remedy: '请让代理原样转发内容，不要加入自己的页面、提示或压缩。',
  },
  way_refused: { seen: '{url} 应答 {answer}', remedy: '请查看代理与服务日志。' },
  admin_closed: { seen: '{url}/admin 没有对外开放' },
  admin_open: {
    seen: '{url}/admin 对外开放',
    remedy: '请让代理只转发 /callback 与 /authorize。',
  },
  admin_unknown: { seen: '从 {url}/admin 的应答看不出它是否对外开放' },
  push_ok: { seen: '经 {url} 的推送在 {milliseconds} 毫秒内得到 success' },
  push_slow: {
    seen: '经 {url} 的推送得到 success，但用了 {milliseconds} 毫秒',
    remedy: '请检查数据库与网络：微信只等 5 秒，且推送会同时到来。',
  },
  push_no_ticket: { seen: '还没有可以重新推送的验证票据' },
  values_ok: { seen: 'AppSecret、Token、EncodingAESKey 的格式与微信提供的一致' },
  values_odd: {
    seen: '格式与微信提供的不一致的值：{count} 个',
    remedy: '请从微信开放平台重新复制，不要带空格。',
  },
  ticket_ok: { seen: '最新的验证票据生成于 {minutes} 分钟前' },
  ticket_none: {
    seen: '还没有收到过验证票据',
    remedy:
      '请在微信开放平台核对：授权事件接收URL 为 {url}，Token 与 EncodingAESKey 和这里一致；然后请求推送验证票据。',
  },
  ticket_late: {
    seen: '最新的验证票据生成于 {minutes} 分钟前；微信每 10 分钟推送一次',
    remedy: '请确认微信能访问 {url}，并查看被拒推送。',
  },
  ticket_expired: {
    seen: '最新的验证票据生成于 {minutes} 分钟前，微信已不再接受',
    remedy: '请确认微信能访问 {url}，查看被拒推送，然后请求推送验证票据。',
  },
  ticket_unreadable: {
    seen: '无法读取最新的验证票据：{message}',
    remedy: '请在 MASTER_KEYS 中补上缺少的密钥；下一个验证票据到达后也会恢复。',
  },
  token_ok: { seen: '令牌还有 {minutes} 分钟有效' },
  token_none: {
    seen: '没有有效的令牌，也没有失败记录',
    remedy: '收到下一个验证票据，或有服务索取时，就会获取。',
  },
  token_failing: {
    seen: '令牌还有 {minutes} 分钟有效，但无法刷新：{message}',
    remedy: '{advice}',
  },
  token_failed: { seen: '没有有效的令牌：{message}', remedy: '{advice}' },
  credentials_ok: { seen: '{minutes} 分钟前微信接受了 AppID 与 AppSecret' },
  credentials_unproven: { seen: '还没有用此 AppSecret 调用过微信' },
  credentials_refused: {
    seen: '微信拒绝 AppID 或 AppSecret：{message}',
    remedy: '请与微信开放平台核对（管理中心 → 第三方平台 → 开发资料）。',
  },
  platform_unpublished: {
    seen: '微信表示此平台尚未发布：{message}',
    remedy: '请进行全网发布；在此之前只能使用测试列表中的账号。',
  },
  egress_ok: { seen: '微信接受来自本服务地址的调用' },
  egress_unproven: { seen: '还没有调用过微信' },
  egress_refused: {
    seen: '微信看到的调用地址 {address} 不在白名单中',
    remedy: '请将 {address} 加入平台的白名单IP地址列表。',
  },
  asked_ok: { seen: '微信接受了 AppID、AppSecret、地址与令牌；验证票据推送：{answer}' },
  asked_secret: {
    seen: '微信接受了 AppID、AppSecret 与地址；验证票据推送：{answer}。还没有令牌',
  },
  asked_too_soon: { seen: '不到一分钟前已问过微信' },
  asked_refused: { seen: '微信拒绝：{message}', remedy: '{advice}' },
  permissions_ok: { seen: '今天没有调用因缺少权限被拒' },
  permissions_missing: {
    seen: '最近一天因缺少权限被微信拒绝的调用：{count} 次',
    remedy: '61007：账号没有授予该权限集，请带上它重新授权。48001：账号本身没有该接口。',
  },
  refused_none: { seen: '最近一小时没有被拒推送' },
  refused_some: {
    seen: '有推送被拒（最近一次在一小时内），共 {count} 次',
    remedy:
      'signature_invalid：Token 或 EncodingAESKey 与微信开放平台不一致。not_found：微信开放平台填写的地址有误。并非来自微信的请求可以忽略。',
  },
  accounts_ok: { seen: '没有授权账号需要重新授权' },
  accounts_lost: {
    seen: '需重新授权的授权账号：{count} 个',
    remedy: '请将授权链接发给账号管理员。',
  },
  refreshes_ok: { seen: '授权账号的令牌均按时刷新' },
  refreshes_late: {
    seen: '最早到期的授权账号刷新已晚 {minutes} 分钟',
    remedy: '请查看平台的令牌，以及刷新失败的授权账号。',
  },
  subscriptions_ok: { seen: '订阅：{count} 个，全部正常' },
  subscriptions_none: { seen: '还没有订阅' },
  subscriptions_failing: {
    seen: '投递失败或已被停用的订阅：{count} 个',
    remedy: '请修复接收服务，启用被停用的订阅，然后重新投递。',
  },
  subscriptions_unreadable: {
    seen: '无法读取的订阅：{count} 个',
    remedy: '请在 MASTER_KEYS 中补上缺少的密钥，或轮换这些订阅的签名密钥。',
  },
  hosts_ok: { seen: '共用数据库的主机有 {count} 台，版本一致' },
  hosts_differ: {
    seen: '共用数据库的主机运行着 {count} 个不同版本',
    remedy: '请把所有主机更新到最新版本。更新后的几分钟内出现此提示属正常。',
  },
  hosts_on_sqlite: {
    seen: '{count} 个服务正在使用同一个 SQLite 文件',
    remedy: '请只保留一个，或改用 MySQL。被强制结束的服务还会被计入约两分钟。',
  },
  keys_ok: { seen: '数据用到的主密钥都在' },
  keys_unfinished: { seen: '目前没有缺少的主密钥；数据过多、未查完的列：{count} 个' },
  keys_unusable: {
    seen: '无法使用主密钥：{message}',
    remedy: '请恢复它，或设置 MASTER_KEYS。',
  },
  keys_plain: {
    seen: '含未加密数据的列：{count} 个',
    remedy: '请运行：npm run secrets:rotate',
  },
  keys_missing: {
    seen: '数据用到、但服务没有的主密钥：{count} 个',
    remedy: '请将它们加到 MASTER_KEYS，放在第一个之后。',
  },
};
