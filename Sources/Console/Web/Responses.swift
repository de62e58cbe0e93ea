import HTTPTypes
import Hummingbird
import NGSI

/// Answers of the console with the headers they all carry.
enum Answer {
  /// Nothing from another origin, nothing inline. MapLibre and ECharts set styles through the object model, which a
  /// policy leaves alone; `data:` images are the icons in MapLibre's style sheet.
  static let contentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
    + "worker-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

  static func html(_ text: String, _ visit: Visit, status: HTTPResponse.Status = .ok) -> Response {
    var headers = common("text/html; charset=utf-8", cache: "no-store")
    headers[.contentSecurityPolicy] = contentSecurityPolicy
    headers[.contentLanguage] = visit.language.rawValue
    headers[.vary] = "Accept-Language, Cookie, Accept-Encoding"
    if visit.choosesLanguage {
      headers[.setCookie] = "lang=\(visit.language.rawValue); Path=/; Max-Age=31536000; SameSite=Lax"
    }
    return packed(Array(text.utf8), headers, visit, status: status)
  }

  /// Leads on to a page after a form was taken.
  static func seeOther(_ address: String) -> Response {
    var headers = common("text/plain; charset=utf-8", cache: "no-store")
    headers[.location] = address
    return Response(status: .seeOther, headers: headers)
  }

  static func json(_ bytes: [UInt8], _ visit: Visit) -> Response {
    var headers = common("application/json", cache: "no-store")
    headers[.vary] = "Accept-Language, Cookie, Accept-Encoding"
    return packed(bytes, headers, visit, status: .ok)
  }

  static func json(_ json: JSON, _ visit: Visit) -> Response { self.json(JSONWriter.bytes(json), visit) }

  /// Answers that are smaller go as they are: packing them would cost more than it saves.
  static let leastPacked = 16 << 10

  private static func packed(
    _ bytes: [UInt8], _ headers: HTTPFields, _ visit: Visit, status: HTTPResponse.Status
  ) -> Response {
    guard visit.acceptsGzip, bytes.count >= leastPacked, let gzipped = Gzip.pack(bytes) else {
      return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
    var headers = headers
    headers[.contentEncoding] = "gzip"
    return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: gzipped)))
  }

  /// A file with its version in the address may be kept for ever; without it the browser asks again by its tag.
  static func file(
    _ bytes: [UInt8], type: String, version: String, versioned: Bool, gzipped: [UInt8]? = nil, to request: Request
  ) -> Response {
    var headers = common(type, cache: versioned ? "public, max-age=31536000, immutable" : "no-cache")
    headers[.eTag] = "\"\(version)\""
    if request.headers[.ifNoneMatch] == "\"\(version)\"" { return Response(status: .notModified, headers: headers) }
    var body = bytes
    if let gzipped, Gzip.isAccepted(request.headers[.acceptEncoding]) {
      headers[.contentEncoding] = "gzip"
      headers[.vary] = "Accept-Encoding"
      body = gzipped
    }
    return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
  }

  static func common(_ type: String, cache: String) -> HTTPFields {
    var headers = HTTPFields()
    headers[.contentType] = type
    headers[.cacheControl] = cache
    headers[.xContentTypeOptions] = "nosniff"
    if let referrer = HTTPField.Name("Referrer-Policy") { headers[referrer] = "same-origin" }
    return headers
  }
}
