import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of a certificate and its key (PEM). */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** An authority of a test's own, by `openssl`, that lives as long as the test. */
export class TestAuthority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'hub-tls-'));
  /** Certificate of the authority itself. */
  readonly ca = this.path('ca.pem');

  constructor() {
    this.openssl(
      'req',
      '-x509',
      '-nodes',
      '-newkey',
      'rsa:2048',
      '-days',
      '2',
      '-subj',
      '/CN=Fake CA',
      '-keyout',
      this.path('ca.key'),
      '-out',
      this.ca,
    );
  }

  /** @param names as `subjectAltName` has them: `DNS:db.internal,IP:127.0.0.1`. */
  issue(name: string, names: string): CertificateFiles {
    const files = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    const request = this.path(`${name}.csr`);
    const extensions = this.path(`${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.openssl(
      'req',
      '-nodes',
      '-newkey',
      'rsa:2048',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      files.key,
      '-out',
      request,
    );
    this.openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-days',
      '2',
      '-CA',
      this.ca,
      '-CAkey',
      this.path('ca.key'),
      '-CAcreateserial',
      '-extfile',
      extensions,
      '-out',
      files.cert,
    );
    return files;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'ignore' });
  }
}
