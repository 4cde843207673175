/** The one form in which a request may be forwarded, by expressions that share nothing with any reader: nothing in it can be read twice. */

const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Z]+ (?:\*|\/[!$%&'()*+,\-./0-9:;=?@A-Z[\]_a-z~]*) HTTP\/1\.1$/;
const FIELD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

/** What is not so in the head of `raw` (latin1, from the request line on); null: nothing. */
export function formFault(raw: string): string | null {
  const end = raw.indexOf('\r\n\r\n');
  if (end < 0) return 'no end of the head';
  const [line = '', ...fields] = raw.slice(0, end).split('\r\n');
  if (!REQUEST_LINE.test(line)) return `request line ${JSON.stringify(line)}`;
  const odd = fields.find((field) => !FIELD.test(field));
  if (odd !== undefined) return `field ${JSON.stringify(odd)}`;
  const values = (name: string): string[] =>
    fields
      .filter((field) => field.slice(0, field.indexOf(':')).toLowerCase() === name)
      .map((f) => f.slice(name.length + 1).trim());
  const [hosts, lengths, codings] = [values('host'), values('content-length'), values('transfer-encoding')];
  if (hosts.length !== 1) return `${hosts.length} Hosts`;
  if (lengths.length + codings.length > 1) return `lengths ${lengths.join()}, codings ${codings.join()}`;
  if (lengths.length === 1 && !/^(?:0|[1-9]\d{0,15})$/.test(lengths[0]!)) return `length ${lengths[0]}`;
  if (codings.length === 1 && codings[0] !== 'chunked') return `coding ${codings[0]}`;
  const connection = values('connection').join().toLowerCase();
  if (connection !== '' && connection !== 'upgrade') return `Connection ${connection}`;
  return null;
}
