const TLS_FAILURE =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|EPROTO$)/;

/**
 * Whether a connection failed since the server's certificate is refused, or it does not
 * speak TLS: neither gets better by itself.
 *
 * @param code that Node gives the error
 */
export function isTlsFailure(code: string | undefined): boolean {
  return TLS_FAILURE.test(code ?? '');
}
