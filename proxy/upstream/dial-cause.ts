/** Why a connection could not be made, in words that operators know: those of the system, as Envoy says them, and plain ones for TLS. */

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ETIMEDOUT: 'Connection timed out',
  EMFILE: 'Too many open files',
  ENFILE: 'Too many open files in system',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
};

/** What Node and OpenSSL call it (tls, "X509 certificate error codes"). */
const TLS_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the chain ends in a certificate that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'the issuer is unknown',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the issuer is unknown',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the issuer is unknown',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server does not speak TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'no common version of TLS',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'no common version of TLS',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'the server refused the handshake',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'the server does not know this name',
};

export function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (WORDS[code ?? ''] ?? code ?? message).slice(0, 200);
}

/** Of an error between the connection and the end of its TLS handshake. */
export function tlsCauseOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const words = TLS_WORDS[code] ?? (code === 'ECONNRESET' ? 'the server closed the connection' : message);
  return `TLS error: ${words}`.slice(0, 300);
}
