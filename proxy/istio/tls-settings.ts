/** TLS settings: what a client does towards a service (DestinationRule), what a server asks of its clients (Gateway, Sidecar). */
import { bool, enumeration, list, object, refused, string } from './field.ts';
import type { Infer } from './schema.ts';

const NO_SECRETS = 'Lateen does not hand secrets to proxies so far; use files';

export const clientTls = object(
  {
    mode: enumeration(
      ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'],
      "No TLS, TLS, TLS with a client certificate, or the mesh's own",
      {
        default: 'DISABLE',
        ignored: { ISTIO_MUTUAL: 'Lateen sends plain text until its mutual TLS arrives' },
      },
    ),
    clientCertificate: string('File with the client certificate (PEM)'),
    privateKey: string('File with its private key (PEM)'),
    caCertificates: string("File with the CAs that may have signed the server's certificate", {
      default: 'those of the system',
    }),
    credentialName: refused(string('Secret with certificate, key and CA'), NO_SECRETS),
    subjectAltNames: list(string('A name'), "Names of which the server's certificate must carry one"),
    sni: string('Server name to ask for', { default: 'the Host header' }),
    insecureSkipVerify: bool('Accept any server certificate', { default: false }),
    caCrl: refused(string('File with revoked certificates'), 'Lateen does not check revocation lists so far'),
  },
  'TLS towards the service',
);
export type ClientTls = Infer<typeof clientTls>;

const tlsVersion = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;

export const serverTls = object(
  {
    httpsRedirect: bool('Answer every plain HTTP request with a redirect to https', { default: false }),
    mode: enumeration(
      ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'],
      'What the server does with TLS',
      {
        default: 'PASSTHROUGH',
      },
    ),
    serverCertificate: string('File with the server certificate (PEM)'),
    privateKey: string('File with its private key (PEM)'),
    caCertificates: string('File with the CAs that may have signed client certificates'),
    caCrl: string('File with revoked certificates'),
    credentialName: string('Secret with certificate, key and CA'),
    credentialNames: list(string('Name of a secret'), 'Secrets, one for each kind of key', { min: 1, max: 2 }),
    tlsCertificates: list(
      object(
        { serverCertificate: string('Certificate'), privateKey: string('Key'), caCertificates: string('CAs') },
        'A certificate and its key',
      ),
      'Certificates, one for each kind of key',
      { min: 1, max: 2 },
    ),
    caCertCredentialName: string('Secret or ConfigMap with the CAs of clients'),
    subjectAltNames: list(string('A name'), "Names of which a client's certificate must carry one"),
    verifyCertificateSpki: list(string('SHA-256 in base64'), 'Public keys of accepted client certificates'),
    verifyCertificateHash: list(string('SHA-256 in hex'), 'Hashes of accepted client certificates'),
    minProtocolVersion: enumeration(tlsVersion, 'Oldest TLS version', { default: 'TLSV1_2' }),
    maxProtocolVersion: enumeration(tlsVersion, 'Newest TLS version'),
    cipherSuites: list(string('An OpenSSL name'), 'Cipher suites that are offered'),
    insecureSkipVerify: bool('Accept any client certificate', { default: false }),
  },
  'TLS of the server',
  { oneOf: [['credentialName', 'credentialNames', 'tlsCertificates']] },
);
export type ServerTls = Infer<typeof serverTls>;
