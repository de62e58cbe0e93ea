import Foundation
import HTTPTypes
import Hummingbird
import Mustache
import NGSI

/// The pages for people: templates, texts and the style sheet, read once at start.
///
/// Korean and English; without a script they work whole, but for passkeys, which only a script can ask for.
struct IdentityPages: Sendable {
  /// What the pages say, by language.
  private let texts: [String: [String: String]]
  private let library: MustacheLibrary
  /// Style sheet, script and sign by name.
  let files: [String: [UInt8]]
  /// Changes with any byte of them; part of their address.
  let version: String

  static let languages = ["ko", "en"]

  /// - Throws: when a file of the module's own is missing or wrong.
  init() throws(IdentityFailure) {
    let root = Bundle.module.bundleURL.appendingPathComponent("Resources").path
    func read(_ path: String) throws(IdentityFailure) -> [UInt8] {
      guard let data = FileManager.default.contents(atPath: root + "/" + path) else {
        throw IdentityFailure("\(root)/\(path) is missing")
      }
      return Array(data)
    }
    var library = MustacheLibrary()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root + "/templates")) ?? []
    for name in names where name.hasSuffix(".mustache") {
      let text = String(decoding: try read("templates/" + name), as: UTF8.self)
      do { try library.register(text, named: String(name.dropLast(".mustache".count))) } catch {
        throw IdentityFailure("the template \(name) cannot be parsed: \(error)")
      }
    }
    self.library = library
    var texts: [String: [String: String]] = [:]
    for language in Self.languages {
      guard let table = try? JSONParser.parse(try read("strings/\(language).json")).object else {
        throw IdentityFailure("the texts in \(language) are no JSON object")
      }
      texts[language] = Dictionary(table.map { ($0.key, $0.value.string ?? "") }) { first, _ in first }
    }
    self.texts = texts
    files = [
      "identity.css": try read("css/identity.css"), "passkeys.js": try read("js/passkeys.js"),
      "madang.svg": try read("img/madang.svg"),
    ]
    version = String(
      Secret.hash(files.sorted { $0.key < $1.key }.map { String(decoding: $0.value, as: UTF8.self) }.joined()).prefix(
        12))
  }

  /// All that the pages say in a language.
  func table(_ language: String) -> [String: String] { texts[language] ?? [:] }

  func render(_ template: String, _ content: [String: Any]) -> String {
    library.render(content, withTemplate: template) ?? ""
  }

  // MARK: Languages

  /// What the address asks for, then what the reader chose before (a cookie that the console sets too), then what the
  /// browser prefers (RFC 9110 section 12.5.4), then English.
  static func language(of request: Incoming) -> String {
    if let asked = request.parameters["lang"], languages.contains(asked) { return asked }
    if let locales = request.parameters["ui_locales"],
      let one = Scopes.list(locales).compactMap({ language(ofTag: $0) }).first
    {
      return one
    }
    if let chosen = IdentityProvider.cookie("lang", in: request.cookie), languages.contains(chosen) { return chosen }
    var best: (language: String, quality: Double)?
    for range in (request.headers[.acceptLanguage] ?? "").split(separator: ",").prefix(32) {
      let parts = range.split(separator: ";")
      guard let tag = parts.first?.trimmed, let language = language(ofTag: tag) else { continue }
      let quality =
        parts.dropFirst().map(\.trimmed).first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      if quality > 0, quality > best?.quality ?? 0 { best = (language, quality) }
    }
    return best?.language ?? "en"
  }

  private static func language(ofTag tag: String) -> String? {
    let primary = tag.lowercased().prefix { $0 != "-" }
    return languages.contains(String(primary)) ? String(primary) : nil
  }
}

/// What a page has beside its own content.
struct PageFrame {
  let template: String
  /// Key of the title.
  let title: String
  var status = HTTPResponse.Status.ok
  /// Origins beside our own that its form may lead to.
  var formTargets: [String] = []
  var content: [String: Any] = [:]
  /// Key of what is wrong.
  var problem: String?
  /// What the sentence calls somebody, by language.
  var problemName: [String: String] = [:]
  var retryAfter: Int?
  /// Where the page is to be had in another language; as it was asked for where it is not said.
  var address: String?
  /// Value of the cookie that ties the steps of a login together, where it is new.
  var newVisit: String?
}

extension IdentityPages {
  func answer(_ frame: PageFrame, _ request: Incoming, _ provider: IdentityProvider) -> Response {
    let language = Self.language(of: request)
    let texts = table(language)
    var content = frame.content
    content["t"] = texts
    content["lang"] = language
    content["title"] = texts[frame.title] ?? frame.title
    content["static"] = "/oauth/static/\(version)"
    let other = language == "ko" ? "en" : "ko"
    content["otherLang"] = other
    content["cityName"] = provider.settings.siteName[language] ?? "Madang"
    // Pages that answer a form cannot be asked for again in another language.
    if request.method == .get, let address = frame.address, frame.problem != nil {
      content["otherLangHref"] = address + "&" + Form.encode(["lang": other])
    } else if request.method == .get {
      let items = request.parameters.items.filter { $0.name != "lang" } + [(name: "lang", value: other)]
      content["otherLangHref"] =
        request.path + "?"
        + items.map { Form.percent($0.name) + "=" + Form.percent($0.value) }.joined(separator: "&")
    }
    if let problem = frame.problem {
      content["problem"] = (texts[problem] ?? problem).replacing("{seconds}", with: "\(frame.retryAfter ?? 0)")
        .replacing("{name}", with: frame.problemName[language] ?? "")
    }
    var headers = HTTPFields()
    headers[.contentType] = "text/html; charset=utf-8"
    headers[.contentLanguage] = language
    headers[.cacheControl] = "no-store"
    Self.addArmour(to: &headers, formTargets: frame.formTargets, isSecure: provider.isSecure)
    if let seconds = frame.retryAfter { headers[.retryAfter] = "\(seconds)" }
    if let visit = frame.newVisit {
      headers[values: .setCookie].append(provider.setCookie(provider.visitCookie, visit, seconds: nil))
    }
    if let chosen = request.parameters["lang"], chosen == language {
      headers[values: .setCookie].append("lang=\(language); Path=/; Max-Age=31536000; SameSite=Lax")
    }
    return Response(
      status: frame.status, headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: render(frame.template, content))))
  }

  /// What keeps a page from being framed, fed with scripts of others, or fetched without TLS.
  static func addArmour(to headers: inout HTTPFields, formTargets: [String] = [], isSecure: Bool) {
    let forms = (["'self'"] + formTargets).joined(separator: " ")
    headers[.contentSecurityPolicy] =
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action \(forms); "
      + "base-uri 'none'; frame-ancestors 'none'"
    headers[.xContentTypeOptions] = "nosniff"
    for (name, value) in [
      ("Referrer-Policy", "same-origin"), ("X-Frame-Options", "DENY"), ("Cross-Origin-Opener-Policy", "same-origin"),
    ] {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
    if isSecure { headers[.strictTransportSecurity] = "max-age=31536000; includeSubDomains" }
  }

  func file(_ name: String, version asked: String) -> Response? {
    guard let bytes = files[name] else { return nil }
    var headers = HTTPFields()
    headers[.contentType] =
      name.hasSuffix(".css")
      ? "text/css; charset=utf-8" : name.hasSuffix(".svg") ? "image/svg+xml" : "text/javascript; charset=utf-8"
    headers[.cacheControl] = asked == version ? "public, max-age=31536000, immutable" : "no-cache"
    headers[.xContentTypeOptions] = "nosniff"
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
