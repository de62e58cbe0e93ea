import NGSI

extension CAPAlert {
  static let namespace = "urn:oasis:names:tc:emergency:cap:1.2"
  /// CAP 1.1 differs in nothing that is read here.
  static let earlier = "urn:oasis:names:tc:emergency:cap:1.1"

  /// Reads a message. What says who warns, and whether for real, has to be there and known; a code, a time or a shape
  /// further inside that cannot be is left out, or made unknown, and named in ``doubts``.
  ///
  /// A signature is passed over, and not checked.
  ///
  /// - Throws: ``CAPError`` that names the element.
  public init(reading bytes: [UInt8], bounds: CAPBounds = CAPBounds()) throws(CAPError) {
    let root = try XMLTree.read(bytes, bounds)
    let points = root.pointCount
    guard points <= bounds.points else { throw CAPError("", "has more than \(bounds.points) points") }
    guard root.name == "alert", root.namespace == Self.namespace || root.namespace == Self.earlier else {
      throw CAPError("", "is no CAP 1.2 alert")
    }
    let fields = ElementReader(root, "", bounds)
    self.init(
      identifier: try fields.name("identifier"), sender: try fields.name("sender"),
      sent: try fields.needed("sent", Self.time), status: try fields.needed("status", Status.init(rawValue:)),
      messageType: try fields.needed("msgType", MessageType.init(rawValue:)),
      scope: try fields.needed("scope", Scope.init(rawValue:)))
    source = try fields.text("source")
    restriction = try fields.text("restriction")
    addresses = Self.words(try fields.text("addresses") ?? "")
    codes = try fields.texts("code")
    note = try fields.text("note")
    incidents = Self.words(try fields.text("incidents") ?? "")
    var doubts: [Doubt] = []
    for text in (try fields.text("references") ?? "").split(whereSeparator: \.isWhitespace) {
      guard let reference = Reference(reading: text) else {
        doubts.append(
          Doubt(element: "references", text: String(text.prefix(200)), reason: "is no sender,identifier,sent"))
        continue
      }
      references.append(reference)
    }
    for (index, part) in try fields.all("info", most: bounds.infos).enumerated() {
      infos.append(try Info(ElementReader(part, "info[\(index)].", bounds), &doubts))
    }
    self.doubts = doubts
  }

  static func time(_ text: String) -> DateTime? { text.contains("T") ? DateTime(text) : nil }

  /// Words with spaces between, of which those in double quotes may have spaces themselves.
  static func words(_ text: String) -> [String] {
    var words: [String] = []
    for (index, part) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
      if index % 2 == 1 {
        words.append(String(part))
      } else {
        words += part.split(whereSeparator: \.isWhitespace).map(String.init)
      }
    }
    return Array(words.filter { !$0.isEmpty }.prefix(500))
  }
}

extension CAPAlert.Reference {
  fileprivate init?(reading text: Substring) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty, let sent = CAPAlert.time(String(parts[2])) else {
      return nil
    }
    self.init(sender: String(parts[0]), identifier: String(parts[1]), sent: sent)
  }
}

extension CAPAlert.Info {
  fileprivate init(_ fields: ElementReader, _ doubts: inout [CAPAlert.Doubt]) throws(CAPError) {
    func code<Value: RawRepresentable>(_ name: String, _ unknown: Value) throws(CAPError) -> Value
    where Value.RawValue == String {
      let text = try fields.text(name) ?? ""
      if let value = Value(rawValue: text) { return value }
      doubts.append(.init(element: fields.path + name, text: String(text.prefix(200)), reason: "is not known"))
      return unknown
    }
    func codes<Value: RawRepresentable>(_ name: String, _: Value.Type) throws(CAPError) -> [Value]
    where Value.RawValue == String {
      var found: [Value] = []
      for text in try fields.texts(name) {
        if let value = Value(rawValue: text) {
          if !found.contains(where: { $0.rawValue == text }) { found.append(value) }
        } else {
          doubts.append(.init(element: fields.path + name, text: String(text.prefix(200)), reason: "is not known"))
        }
      }
      return found
    }
    func time(_ name: String) throws(CAPError) -> DateTime? {
      guard let text = try fields.text(name) else { return nil }
      if let time = CAPAlert.time(text) { return time }
      doubts.append(.init(element: fields.path + name, text: String(text.prefix(200)), reason: "is no time"))
      return nil
    }
    var categories = try codes("category", Category.self)
    if categories.isEmpty { categories = [.other] }
    self.init(
      language: try fields.text("language") ?? Self.defaultLanguage, categories: categories,
      event: try fields.text("event") ?? "", urgency: try code("urgency", .unknown),
      severity: try code("severity", .unknown), certainty: try code("certainty", .unknown))
    if event.isEmpty { doubts.append(.init(element: fields.path + "event", text: "", reason: "is missing")) }
    responses = try codes("responseType", Response.self)
    audience = try fields.text("audience")
    eventCodes = try fields.named("eventCode")
    effective = try time("effective")
    onset = try time("onset")
    expires = try time("expires")
    senderName = try fields.text("senderName")
    headline = try fields.text("headline")
    description = try fields.text("description")
    instruction = try fields.text("instruction")
    web = try fields.text("web")
    contact = try fields.text("contact")
    parameters = try fields.named("parameter")
    for part in try fields.all("resource", most: fields.bounds.items) {
      let part = ElementReader(part, fields.path + "resource.", fields.bounds)
      resources.append(
        .init(
          description: try part.text("resourceDesc") ?? "", mimeType: try part.text("mimeType") ?? "",
          size: try part.text("size").flatMap { Int($0) }, uri: try part.text("uri"), digest: try part.text("digest")))
    }
    for (index, part) in try fields.all("area", most: fields.bounds.areas).enumerated() {
      areas.append(try CAPAlert.Area(ElementReader(part, "\(fields.path)area[\(index)].", fields.bounds), &doubts))
    }
  }
}

extension CAPAlert.Area {
  fileprivate init(_ fields: ElementReader, _ doubts: inout [CAPAlert.Doubt]) throws(CAPError) {
    self.init(description: try fields.text("areaDesc") ?? "")
    for (index, text) in try fields.texts("polygon").enumerated() {
      do throws(CAPAlert.Polygon.Fault) { polygons.append(try CAPAlert.Polygon(reading: text)) } catch {
        doubts.append(
          .init(element: "\(fields.path)polygon[\(index)]", text: String(text.prefix(200)), reason: error.words))
      }
    }
    for (index, text) in try fields.texts("circle").enumerated() {
      guard let circle = CAPAlert.Circle(reading: text) else {
        doubts.append(
          .init(
            element: "\(fields.path)circle[\(index)]", text: String(text.prefix(200)),
            reason: "is no place with a radius"))
        continue
      }
      circles.append(circle)
    }
    geocodes = try fields.named("geocode")
    altitude = try fields.text("altitude").flatMap { Double($0) }
    ceiling = try fields.text("ceiling").flatMap { Double($0) }
  }
}

/// Reads the children of an element by their names. Others, such as those of profiles, are passed over.
private struct ElementReader {
  let element: XMLElement
  /// Ends with a dot where it is not empty.
  let path: String
  let bounds: CAPBounds

  init(_ element: XMLElement, _ path: String, _ bounds: CAPBounds) {
    (self.element, self.path, self.bounds) = (element, path, bounds)
  }

  func all(_ name: String, most: Int) throws(CAPError) -> [XMLElement] {
    let found = element.children.filter { $0.name == name && $0.namespace == element.namespace }
    guard found.count <= most else { throw CAPError(path + name, "is there more than \(most) times") }
    return found
  }

  func texts(_ name: String) throws(CAPError) -> [String] {
    var texts: [String] = []
    for part in try all(name, most: bounds.items) {
      let text = part.text.trimmed
      guard text.utf8.count <= bounds.text else { throw CAPError(path + name, "has more than \(bounds.text) bytes") }
      if !text.isEmpty { texts.append(text) }
    }
    return texts
  }

  /// - Returns: `nil` for an empty one too.
  func text(_ name: String) throws(CAPError) -> String? {
    guard try all(name, most: bounds.items).count <= 1 else { throw CAPError(path + name, "is there twice") }
    return try texts(name).first
  }

  func needed<Value>(_ name: String, _ read: (String) -> Value?) throws(CAPError) -> Value {
    guard let text = try text(name) else { throw CAPError(path + name, "is missing") }
    guard let value = read(text) else { throw CAPError(path + name, "has a value that is not known") }
    return value
  }

  /// An identifier: without spaces, commas, `<` and `&` (section 3.2.1).
  func name(_ name: String) throws(CAPError) -> String {
    guard let text = try text(name) else { throw CAPError(path + name, "is missing") }
    guard CAPAlert.isName(text) else {
      throw CAPError(path + name, "is no name of 1 to 200 bytes without spaces, commas, < and &")
    }
    return text
  }

  func named(_ name: String) throws(CAPError) -> [CAPAlert.Named] {
    var found: [CAPAlert.Named] = []
    for part in try all(name, most: bounds.items) {
      let fields = ElementReader(part, path + name + ".", bounds)
      found.append(.init(try fields.text("valueName") ?? "", try fields.text("value") ?? ""))
    }
    return found
  }
}

extension CAPAlert {
  /// Whether a text may be an identifier or a sender.
  public static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 200
      && text.unicodeScalars.allSatisfy {
        $0.value > 0x20 && $0.value != 0x7F && $0 != "," && $0 != "<" && $0 != "&" && !$0.properties.isWhitespace
      }
  }
}

extension String {
  fileprivate var trimmed: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else {
      return ""
    }
    return String(self[first...last])
  }
}

extension XMLElement {
  /// How many points the rings in it have, before they are looked at.
  fileprivate var pointCount: Int {
    children.reduce(name == "polygon" ? text.utf8.count { $0 == UInt8(ascii: ",") } : 0) { $0 + $1.pointCount }
  }
}
