/* Ordinary requests, served without the script.
 *
 * An HTTP filter that Envoy loads as a dynamic module. It stands before lua/request.lua and does what
 * the script would do to a request of which the script would change no more than its trace header.
 * Such a request loses `x-albatross-size`, without which the script does not run (shortcut.py). All
 * others stay as they are, for the script: nothing is decided here that it would not decide likewise.
 *
 * Which routes may have ordinary requests stands in the last word of their names (names.py).
 * Source of the binary interface: Envoy, source/extensions/dynamic_modules/abi/abi.h, version 1.40.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Envoy's types and functions, as far as they are needed here. Its strings end with no zero. */

typedef struct {
  const char *at;
  size_t size;
} text;

typedef struct {
  text name, value;
} header;

enum { REQUEST_HEADERS = 0, ROUTE_NAME = 61, CONTINUE = 0 };

size_t envoy_dynamic_module_callback_http_get_headers_size(void *filter, int which);
bool envoy_dynamic_module_callback_http_get_headers(void *filter, int which, header *found);
bool envoy_dynamic_module_callback_http_set_header(void *filter, int which, text name, text value);
bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void *filter, int which,
                                                                    text *found);
void envoy_dynamic_module_callback_http_clear_route_cache(void *filter);
const void *envoy_dynamic_module_callback_get_most_specific_route_config(void *filter);

#define TEXT(literal) ((text){literal, sizeof(literal) - 1})

enum {
  HEADERS_MAX = 64,
  TARGET_BYTES_MAX = 8192,       /* a longer one may be too long, which the script tells */
  MEASURED_BYTES_MIN = 4096,     /* of all headers: the script measures from here on */
  FRAMING_BYTES_MAX = 16,
  HOST_BYTES_MAX = 256,
  LAMBDA_BODY_BYTES_MAX = 1048576
};

/* What is seen of a request. A header that is absent has no `at`. */
typedef struct {
  text method, target, host, length, framing;
  bool has_referer, had_referer, is_for_the_script;
} request;

static bool is(text one, text other) {
  return one.size == other.size && memcmp(one.at, other.at, one.size) == 0;
}

static bool starts_with(text one, text start) {
  return one.size >= start.size && memcmp(one.at, start.at, start.size) == 0;
}

static bool has(text one, char character) {
  return memchr(one.at, character, one.size) != NULL;
}

static bool is_digit(char character) { return character >= '0' && character <= '9'; }

/* Notes what a header says. */
static void see(request *seen, text name, text value) {
  if (is(name, TEXT(":method"))) seen->method = value;
  else if (is(name, TEXT(":path"))) seen->target = value;
  else if (is(name, TEXT(":authority"))) seen->host = value;
  else if (is(name, TEXT("content-length"))) seen->length = value;
  else if (is(name, TEXT("x-albatross-size"))) seen->framing = value;
  else if (is(name, TEXT("referer"))) seen->has_referer = true;
  else if (is(name, TEXT("x-albatross-referer"))) seen->had_referer = true;
  else if (is(name, TEXT("x-amzn-trace-id")) || is(name, TEXT("x-forwarded-for")) ||
           is(name, TEXT("upgrade")) ||
           (is(name, TEXT("content-type")) && starts_with(value, TEXT("application/grpc"))))
    seen->is_for_the_script = true;
}

/* Reads all headers. Returns whether they are few enough. */
static bool look_at(void *filter, request *seen) {
  header found[HEADERS_MAX];
  size_t count = envoy_dynamic_module_callback_http_get_headers_size(filter, REQUEST_HEADERS);
  if (count > HEADERS_MAX ||
      !envoy_dynamic_module_callback_http_get_headers(filter, REQUEST_HEADERS, found))
    return false;
  for (size_t i = 0; i < count; i++) see(seen, found[i].name, found[i].value);
  return seen->method.at && seen->target.at && seen->host.at && seen->framing.at;
}

/* Whether rules see `target` as it is, so that Envoy has chosen the right route. */
static bool is_normal(text target) {
  if (target.size > TARGET_BYTES_MAX) return false;
  for (size_t i = 0; i < target.size; i++) {
    unsigned char one = (unsigned char)target.at[i];
    if (one == '%' || one >= 128 || (one == '.' && i > 0 && target.at[i - 1] == '/')) return false;
  }
  return true;
}

/* Whether `framing` (listener.py) is a small size and nothing else: no transfer coding, and no
 * imitation of a header about the body. */
static bool is_small_and_plain(text framing) {
  size_t digits = 0;
  unsigned bytes = 0;
  for (; digits < framing.size && is_digit(framing.at[digits]); digits++) {
    bytes = bytes * 10 + (unsigned)(framing.at[digits] - '0');
    if (bytes >= MEASURED_BYTES_MIN) return false;
  }
  if (digits == 0) return false;
  for (size_t i = digits; i < framing.size; i++)
    if (framing.at[i] != ' ') return false;
  return true;
}

/* Whether targets get `host` as it is. `treatment`: of the listener's port in it. */
static bool stays(text host, char treatment, bool is_for_server) {
  if (treatment == 'p') return true;
  if (is_for_server)
    for (size_t i = 0; i < host.size; i++)
      if (host.at[i] >= 'A' && host.at[i] <= 'Z') return false;
  if (treatment == 's') return !has(host, ':');
  size_t digits = 0;
  while (digits < host.size && is_digit(host.at[host.size - 1 - digits])) digits++;
  return digits > 0 && digits < host.size && host.at[host.size - 1 - digits] == ':' &&
         host.at[0] != '[';
}

/* Whether a function may get a body of this length, as it is written: at most 1 MiB. */
static bool fits(text length) {
  if (length.size > 7) return false;
  unsigned long bytes = 0;
  for (size_t i = 0; i < length.size; i++) {
    if (!is_digit(length.at[i])) return false;
    bytes = bytes * 10 + (unsigned long)(length.at[i] - '0');
  }
  return bytes <= LAMBDA_BODY_BYTES_MAX;
}

/* Whether the target gets a request with this method, and a body of this length or none, as it is. */
static bool is_sent_as_it_is(text method, text length, bool is_for_server) {
  if (is(method, TEXT("GET")) || is(method, TEXT("HEAD"))) return !length.at;
  bool has_body = is(method, TEXT("POST")) || is(method, TEXT("PUT")) ||
                  is(method, TEXT("PATCH")) || is(method, TEXT("OPTIONS"));
  if (!has_body && !is(method, TEXT("DELETE"))) return false;
  return is_for_server || (length.at ? fits(length) : !has_body);
}

static void set(void *filter, text name, text value) {
  envoy_dynamic_module_callback_http_set_header(filter, REQUEST_HEADERS, name, value);
}

/* Returns the last word of the name of the route that Envoy has chosen, nothing where it has none. */
static text kind_of_route(void *filter) {
  text name = {0};
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_string(filter, ROUTE_NAME, &name))
    return TEXT("");
  size_t start = name.size;
  while (start > 0 && name.at[start - 1] != ' ') start--;
  return (text){name.at + start, name.size - start};
}

/* Has Envoy choose the route for `host` without its port, as rules see it where some have regular
 * expressions for hosts, and tells the script so. Returns false where that is not tried. */
static bool choose_without_port(void *filter, text host, text framing) {
  const char *port = memchr(host.at, ':', host.size);
  if (!port) return true;
  char sent[HOST_BYTES_MAX], told[1 + FRAMING_BYTES_MAX] = "=";
  if (host.size > HOST_BYTES_MAX || framing.size > FRAMING_BYTES_MAX || host.at[0] == '[')
    return false;
  memcpy(sent, host.at, host.size);
  memcpy(told + 1, framing.at, framing.size);
  set(filter, TEXT(":authority"), (text){sent, (size_t)(port - host.at)});
  envoy_dynamic_module_callback_http_clear_route_cache(filter);
  envoy_dynamic_module_callback_get_most_specific_route_config(filter); /* it looks at the route */
  set(filter, TEXT(":authority"), (text){sent, host.size});
  set(filter, TEXT("x-albatross-size"), (text){told, 1 + framing.size});
  return true;
}

static bool is_ordinary(void *filter) {
  text kind = kind_of_route(filter);
  if (!kind.size || is(kind, TEXT("-"))) return false;

  request seen = {0};
  if (!look_at(filter, &seen) || seen.is_for_the_script || (seen.had_referer && !seen.has_referer) ||
      has(seen.host, ',') || !is_normal(seen.target) || !is_small_and_plain(seen.framing))
    return false;
  if (kind.at[kind.size - 1] == '*') {
    if (!choose_without_port(filter, seen.host, seen.framing)) return false;
    kind = kind_of_route(filter);
    if (!kind.size || !look_at(filter, &seen)) return false; /* it has moved */
  }

  bool is_for_server = kind.at[0] >= 'A' && kind.at[0] <= 'Z';
  char treatment = is_for_server ? (char)(kind.at[0] - 'A' + 'a') : kind.at[0];
  return (treatment == 'a' || treatment == 'p' || treatment == 's') &&
         stays(seen.host, treatment, is_for_server) &&
         is_sent_as_it_is(seen.method, seen.length, is_for_server);
}

/* SplitMix64, a state for each thread. Returns false where there is no seed. */
static bool draw(uint64_t *drawn) {
  static _Thread_local uint64_t state;
  static _Thread_local bool is_seeded;
  if (!is_seeded) {
    FILE *source = fopen("/dev/urandom", "rb");
    if (!source) return false;
    is_seeded = fread(&state, sizeof state, 1, source) == 1;
    fclose(source);
    if (!is_seeded) return false;
  }
  uint64_t mixed = state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  *drawn = mixed ^ (mixed >> 31);
  return true;
}

static char *write_hex(char *at, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value >>= 4) at[i] = "0123456789abcdef"[value & 15];
  return at + digits;
}

/* Writes `Root=1-`, the time and 96 random bits. */
static bool set_trace(void *filter) {
  uint64_t first, second;
  if (!draw(&first) || !draw(&second)) return false;
  char value[] = "Root=1-01234567-0123456789abcdef01234567";
  char *at = write_hex(value + sizeof("Root=1-") - 1, (uint64_t)time(NULL), 8);
  at = write_hex(at + 1, first, 12);
  write_hex(at, second, 12);
  return envoy_dynamic_module_callback_http_set_header(filter, REQUEST_HEADERS,
                                                       TEXT("x-amzn-trace-id"), TEXT(value));
}

/* What Envoy calls. A filter has no state of its own; Envoy wants an address nonetheless. */

static char none;

const char *envoy_dynamic_module_on_program_init(void) { return "v0.2.0"; }

void *envoy_dynamic_module_on_http_filter_config_new(void *settings, text name, text text_) {
  (void)settings, (void)name, (void)text_;
  return &none;
}

void *envoy_dynamic_module_on_http_filter_new(void *settings, void *filter) {
  (void)settings, (void)filter;
  return &none;
}

int envoy_dynamic_module_on_http_filter_request_headers(void *filter, void *own, bool is_all) {
  (void)own, (void)is_all;
  if (is_ordinary(filter) && set_trace(filter)) set(filter, TEXT("x-albatross-size"), (text){0});
  return CONTINUE;
}

/* It looks for these, too. Those that return something continue with 0. */
#define IGNORED(event) \
  int envoy_dynamic_module_on_http_filter_##event(void) { return CONTINUE; }
IGNORED(config_destroy)
IGNORED(config_scheduled)
IGNORED(config_http_callout_done)
IGNORED(config_http_stream_complete)
IGNORED(config_http_stream_data)
IGNORED(config_http_stream_headers)
IGNORED(config_http_stream_reset)
IGNORED(config_http_stream_trailers)
IGNORED(destroy)
IGNORED(downstream_above_write_buffer_high_watermark)
IGNORED(downstream_below_write_buffer_low_watermark)
IGNORED(http_callout_done)
IGNORED(http_stream_complete)
IGNORED(http_stream_data)
IGNORED(http_stream_headers)
IGNORED(http_stream_reset)
IGNORED(http_stream_trailers)
IGNORED(local_reply)
IGNORED(per_route_config_destroy)
IGNORED(per_route_config_new)
IGNORED(request_body)
IGNORED(request_trailers)
IGNORED(response_body)
IGNORED(response_headers)
IGNORED(response_trailers)
IGNORED(scheduled)
IGNORED(stream_complete)
