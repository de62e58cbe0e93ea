import NGSI

extension CAPAlert {
  /// The message as a CAP 1.2 document, in the order of the schema; doubts do not leave.
  public var xml: String {
    var writer = XMLWriter()
    writer.text += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<alert xmlns=\"\(Self.namespace)\">\n"
    writer.put("identifier", identifier)
    writer.put("sender", sender)
    writer.put("sent", Self.text(sent))
    writer.put("status", status.rawValue)
    writer.put("msgType", messageType.rawValue)
    writer.put("source", source)
    writer.put("scope", scope.rawValue)
    writer.put("restriction", restriction)
    writer.put("addresses", Self.joined(addresses))
    for code in codes { writer.put("code", code) }
    writer.put("note", note)
    let earlier = references.map { "\($0.sender),\($0.identifier),\(Self.text($0.sent))" }
    writer.put("references", earlier.isEmpty ? nil : earlier.joined(separator: " "))
    writer.put("incidents", Self.joined(incidents))
    for info in infos { writer.element("info") { info.write(into: &$0) } }
    writer.text += "</alert>\n"
    return writer.text
  }

  private static func joined(_ words: [String]) -> String? {
    guard !words.isEmpty else { return nil }
    return words.map { $0.contains { $0.isWhitespace } ? "\"\($0.filter { $0 != "\"" })\"" : $0 }.joined(separator: " ")
  }

  /// With the offset that the standard wants for UTC in place of `Z` (section 3.3.2), to the second.
  static func text(_ time: DateTime) -> String {
    let whole = time.microseconds - ((time.microseconds % 1_000_000) + 1_000_000) % 1_000_000
    let text = DateTime(microseconds: whole).description
    return text.prefix { $0 != "." && $0 != "Z" } + "-00:00"
  }
}

extension CAPAlert.Info {
  fileprivate func write(into writer: inout XMLWriter) {
    writer.put("language", language)
    for category in categories { writer.put("category", category.rawValue) }
    writer.put("event", event, always: true)
    for response in responses { writer.put("responseType", response.rawValue) }
    writer.put("urgency", urgency.rawValue)
    writer.put("severity", severity.rawValue)
    writer.put("certainty", certainty.rawValue)
    writer.put("audience", audience)
    for code in eventCodes { writer.put("eventCode", code) }
    writer.put("effective", effective.map(CAPAlert.text))
    writer.put("onset", onset.map(CAPAlert.text))
    writer.put("expires", expires.map(CAPAlert.text))
    writer.put("senderName", senderName)
    writer.put("headline", headline)
    writer.put("description", description)
    writer.put("instruction", instruction)
    writer.put("web", web)
    writer.put("contact", contact)
    for parameter in parameters { writer.put("parameter", parameter) }
    for resource in resources {
      writer.element("resource") { writer in
        writer.put("resourceDesc", resource.description, always: true)
        writer.put("mimeType", resource.mimeType, always: true)
        writer.put("size", resource.size.map(String.init))
        writer.put("uri", resource.uri)
        writer.put("digest", resource.digest)
      }
    }
    for area in areas { writer.element("area") { area.write(into: &$0) } }
  }
}

extension CAPAlert.Area {
  fileprivate func write(into writer: inout XMLWriter) {
    writer.put("areaDesc", description, always: true)
    for polygon in polygons { writer.put("polygon", polygon.points.map(\.text).joined(separator: " ")) }
    for circle in circles { writer.put("circle", "\(circle.centre.text) \(XMLWriter.decimal(circle.radius))") }
    for geocode in geocodes { writer.put("geocode", geocode) }
    writer.put("altitude", altitude.map(XMLWriter.decimal))
    writer.put("ceiling", ceiling.map(XMLWriter.decimal))
  }
}

extension CAPAlert.Point {
  fileprivate var text: String { "\(XMLWriter.decimal(latitude)),\(XMLWriter.decimal(longitude))" }
}

/// Writes elements with their texts.
struct XMLWriter {
  var text = ""
  private var depth = 1

  mutating func put(_ name: String, _ value: String?, always: Bool = false) {
    guard let value = always ? value ?? "" : value, always || !value.isEmpty else { return }
    text += String(repeating: "  ", count: depth) + "<\(name)>\(XMLText.escaped(value))</\(name)>\n"
  }

  mutating func put(_ name: String, _ value: CAPAlert.Named) {
    element(name) { writer in
      writer.put("valueName", value.name, always: true)
      writer.put("value", value.value, always: true)
    }
  }

  mutating func element(_ name: String, _ body: (inout XMLWriter) -> Void) {
    text += String(repeating: "  ", count: depth) + "<\(name)>\n"
    depth += 1
    body(&self)
    depth -= 1
    text += String(repeating: "  ", count: depth) + "</\(name)>\n"
  }

  /// Without an exponent, which schemas do not take: seven places, a centimetre of a degree.
  static func decimal(_ value: Double) -> String {
    let scaled = (value * 1e7).rounded()
    guard abs(scaled) < 9e17 else { return "0" }
    let units = Int64(scaled)
    let fraction = String(units.magnitude % 10_000_000)
    var digits = String(repeating: "0", count: 7 - fraction.count) + fraction
    while digits.hasSuffix("0") { digits.removeLast() }
    let whole = (units < 0 ? "-" : "") + String(units.magnitude / 10_000_000)
    return digits.isEmpty ? whole : whole + "." + digits
  }
}

/// Texts in XML.
public enum XMLText {
  /// As XML may hold it: what may not stand in it at all is left out.
  public static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\n", "\t": escaped.unicodeScalars.append(scalar)
      case "\r": escaped += "&#13;"
      default:
        guard scalar.value >= 0x20, scalar.value != 0xFFFE, scalar.value != 0xFFFF else { continue }
        escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
