import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../servers/process.ts'

/** A new key, and a certificate for 127.0.0.1 and localhost that only its own file vouches for. */
export interface Certificate {
  readonly key: string
  readonly cert: string
  /** The file with the certificate. */
  readonly path: string
  remove(): Promise<void>
}

/** Makes one with OpenSSL, good for a day. */
export async function makeCertificate(openssl: string): Promise<Certificate> {
  const folder = await temporaryFolder('certificate')
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
  execFileSync(openssl, [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '1',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
  ], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8'), path: cert, remove: folder.remove }
}
