/** How a server is to be reached by TLS. */
export interface MysqlTls {
  /** `name`: certificate and name of the server; `chain`: the certificate only. */
  verify: 'name' | 'chain' | 'nothing';
  /** File of the certificates to trust in place of the usual ones (PEM). */
  ca?: string;
  /** Files of the certificate that the hub shows, and of its key (PEM). */
  cert?: string;
  key?: string;
  /** Name that the server's certificate must have; that of the URL where it is not given. */
  serverName?: string;
}

/** One of the servers that a URL names. */
export interface MysqlHost {
  /** Name or address, without brackets. */
  host: string;
  port: number;
}

/** The parts of a `mysql://` URL, decoded. */
export interface MysqlUrl {
  /** At least one, in the order in which they are tried. */
  hosts: [MysqlHost, ...MysqlHost[]];
  user: string;
  password: string;
  database: string;
  tls?: MysqlTls;
}

/** The URL cannot be used; the message repeats nothing of its user and password. */
export class MysqlUrlError extends Error {}

const DEFAULT_PORT = 3306;
const FORM =
  'must be sqlite:PATH or mysql://user:password@host:3306/database, with commas between several ' +
  'hosts';
const OPTIONS = 'tls, tls-ca, tls-cert, tls-key, tls-server-name and tls-verify';

/** What a parameter says. */
type Said = Partial<MysqlTls> & { on?: boolean };

const ON: Said = { on: true };
const OFF: Said = { on: false };
const UNVERIFIED: Said = { on: true, verify: 'nothing' };
const CHAIN: Said = { on: true, verify: 'chain' };
const NAME: Said = { on: true, verify: 'name' };

const SWITCH: Record<string, Said> = {
  true: ON,
  '1': ON,
  yes: ON,
  on: ON,
  require: ON,
  required: ON,
  '{"rejectunauthorized":true}': ON,
  false: OFF,
  '0': OFF,
  no: OFF,
  off: OFF,
  disable: OFF,
  disabled: OFF,
  'skip-verify': UNVERIFIED,
  '{"rejectunauthorized":false}': UNVERIFIED,
};
const MODES: Record<string, Said> = {
  ...SWITCH,
  'verify-ca': CHAIN,
  'verify-full': NAME,
  'verify-identity': NAME,
};
const VERIFY: Record<string, Said> = {
  true: { on: true },
  '1': { on: true },
  false: UNVERIFIED,
  '0': UNVERIFIED,
  strict: NAME,
  'accept-invalid-certs': UNVERIFIED,
};

/**
 * The parameters that are understood, by their names without `-` and `_`: those of the hub, and
 * spellings of MySQL's own clients and of other drivers whose meaning is plain.
 */
const PARAMETERS: Record<string, (value: string) => Said | undefined> = {
  tls: ofTable(MODES),
  ssl: ofTable(MODES),
  usessl: ofTable(SWITCH),
  requiressl: ofTable(SWITCH),
  sslmode: ofTable(MODES),
  tlsverify: ofTable(VERIFY),
  sslverify: ofTable(VERIFY),
  sslverifyservercert: ofTable(VERIFY),
  verifyservercertificate: ofTable(VERIFY),
  sslaccept: ofTable(VERIFY),
  tlsca: (ca) => ({ on: true, ca }),
  sslca: (ca) => ({ on: true, ca }),
  sslrootcert: (ca) => ({ on: true, ca }),
  tlscert: (cert) => ({ on: true, cert }),
  sslcert: (cert) => ({ on: true, cert }),
  tlskey: (key) => ({ on: true, key }),
  sslkey: (key) => ({ on: true, key }),
  tlsservername: (serverName) => ({ on: true, serverName }),
};

function ofTable(table: Record<string, Said>): (value: string) => Said | undefined {
  return (value) => {
    const written = value.toLowerCase().replaceAll(/\s/g, '').replaceAll('_', '-');
    return Object.hasOwn(table, written) ? table[written] : undefined;
  };
}

/**
 * Reads a `mysql://` URL. Everything in it is used or refused: a parameter that was dropped might
 * have been the one that asked for TLS.
 * @throws {MysqlUrlError} saying what is wrong with it.
 */
export function parseMysqlUrl(text: string): MysqlUrl {
  const [, authority, rest] = /^mysql:\/\/([^/?#]*)(.*)$/is.exec(text) ?? [];
  if (authority === undefined || rest === undefined) throw new MysqlUrlError(FORM);
  const login = authority.slice(0, authority.lastIndexOf('@') + 1);
  const names = authority.slice(login.length).split(',');
  // Only a URL with one host is one that Node reads.
  const [url, ...others] = names.map((name) => parseOne(`mysql://${login}${name}${rest}`));
  const database = decoded(url?.pathname.slice(1) ?? '');
  if (!url || url.hash !== '' || url.pathname.slice(1).includes('/')) {
    throw new MysqlUrlError(`must end with one database name and its parameters. ${ENCODE}`);
  }
  if (database === '') throw new MysqlUrlError(FORM);
  // A plus is a plus, in the name of a file as anywhere.
  const tls = parseTls(new URLSearchParams(url.search.replaceAll('+', '%2B')));
  const hosts: MysqlUrl['hosts'] = [hostOf(url), ...others.map(hostOf)];
  if (new Set(hosts.map(({ host, port }) => `${host.toLowerCase()} ${port}`)).size < hosts.length) {
    throw new MysqlUrlError('names a host twice');
  }
  return {
    hosts,
    user: decoded(url.username),
    password: decoded(url.password),
    database,
    ...(tls ? { tls } : {}),
  };
}

function parseOne(text: string): URL {
  if (!URL.canParse(text)) throw new MysqlUrlError(`${FORM}. ${ENCODE}`);
  return new URL(text);
}

function hostOf({ hostname, port }: URL): MysqlHost {
  if (hostname === '' || /[,\s]/.test(hostname)) throw new MysqlUrlError(FORM);
  if (port === '0') throw new MysqlUrlError('has the port 0');
  return {
    host: decoded(hostname.replace(/^\[(.*)\]$/, '$1')),
    port: port === '' ? DEFAULT_PORT : Number(port),
  };
}

const ENCODE =
  'Characters such as @ : / ? # % in user and password are written %40 %3A %2F %3F %23 %25';

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new MysqlUrlError(`has a % that begins no character of UTF-8. ${ENCODE}`);
  }
}

function parseTls(parameters: URLSearchParams): MysqlTls | undefined {
  const said: Said = {};
  for (const [name, value] of parameters) {
    for (const [key, part] of Object.entries(readParameter(name, value))) {
      const before = said[key as keyof Said];
      if (before !== undefined && before !== part) {
        throw new MysqlUrlError(`says two different things about TLS; one is ${shown(name)}`);
      }
      Object.assign(said, { [key]: part });
    }
  }
  const { on, ...tls } = said;
  if (on !== true) return undefined;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new MysqlUrlError('needs tls-cert and tls-key together');
  }
  return { verify: 'name', ...tls };
}

function readParameter(name: string, value: string): Said {
  const written = name.toLowerCase().replaceAll(/[-_]/g, '');
  const read = Object.hasOwn(PARAMETERS, written) ? PARAMETERS[written] : undefined;
  if (!read) {
    throw new MysqlUrlError(
      `has the parameter ${shown(name)}, which is not known; known: ${OPTIONS}`,
    );
  }
  const said = value === '' ? undefined : read(value);
  if (!said) {
    throw new MysqlUrlError(
      `has a value of ${shown(name)} that may mean plaintext or nothing; write tls=true, or ` +
        'tls=false for no TLS',
    );
  }
  return said;
}

/** A name as it may be shown: a password with a "?" in it may stand where names do. */
function shown(name: string): string {
  return /^[A-Za-z][\w-]{0,39}$/.test(name) ? name : '(no name)';
}
