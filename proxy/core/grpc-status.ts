/** gRPC's statuses for HTTP's, where a call was given none of its own (grpc.github.io, "HTTP to gRPC Status Code Mapping"; Envoy does the same). */

const GRPC: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

const UNKNOWN = 2;

export const grpcStatusOf = (status: number): number => GRPC[status] ?? UNKNOWN;

/** `grpc-message` is percent-encoded: printable ASCII but `%` stays (gRPC over HTTP/2, "Responses"). */
export const grpcMessage = (text: string): string =>
  Buffer.from(text.slice(0, 512)).reduce(
    (message, byte) =>
      message +
      (byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`),
    '',
  );
