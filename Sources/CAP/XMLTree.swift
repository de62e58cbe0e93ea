import CLibxml2

/// What is wrong with a document.
public struct CAPError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The element with its path; empty for the document as a whole.
  public let element: String
  public let reason: String

  init(_ element: String, _ reason: String) { (self.element, self.reason) = (element, reason) }

  public var description: String { element.isEmpty ? "the document \(reason)" : "'\(element)' \(reason)" }
}

/// What is read of a document at most.
public struct CAPBounds: Sendable, Hashable {
  public var bytes = 1 << 20
  public var depth = 12
  public var elements = 20_000
  /// Parts in languages, and areas of each.
  public var infos = 20
  public var areas = 500
  /// Polygons, circles and codes of an area; codes and parameters of a part.
  public var items = 200
  /// Points of all rings together.
  public var points = 20_000
  /// Bytes of a text.
  public var text = 20_000

  public init() {}
}

/// An element with its text and children; attributes have no meaning in CAP.
struct XMLElement {
  var name: String
  var namespace: String
  var text = ""
  var children: [XMLElement] = []
}

/// Reads XML by libxml2, within bounds. Documents are UTF-8 and have no document type: so there are no entities but the five
/// of XML itself, nothing is fetched and nothing grows.
enum XMLTree {
  /// Before threads use it, the library has to be made ready by one.
  private static let isReady: Void = xmlInitParser()

  static func read(_ bytes: [UInt8], _ bounds: CAPBounds) throws(CAPError) -> XMLElement {
    _ = isReady
    guard bytes.count <= bounds.bytes else { throw CAPError("", "has more than \(bounds.bytes) bytes") }
    guard String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) else {
      throw CAPError("", "is not in UTF-8")
    }
    try refuseDocumentType(bytes)
    let result = bytes.withUnsafeBufferPointer { buffer -> Result<XMLElement, CAPError> in
      buffer.withMemoryRebound(to: CChar.self) { text in
        let options = XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
        guard let reader = xmlReaderForMemory(text.baseAddress, Int32(text.count), nil, "UTF-8", Int32(options)) else {
          return .failure(CAPError("", "cannot be read"))
        }
        defer { xmlFreeTextReader(reader) }
        do throws(CAPError) { return .success(try read(reader, bounds)) } catch { return .failure(error) }
      }
    }
    return try result.get()
  }

  /// The parser would say so too, when it has read the declaration; here nothing of it is read.
  private static func refuseDocumentType(_ bytes: [UInt8]) throws(CAPError) {
    var rest = bytes[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    func skip(to end: String) throws(CAPError) {
      let end = Array(end.utf8)
      while !rest.isEmpty, !rest.starts(with: end) { rest = rest.dropFirst() }
      guard !rest.isEmpty else { throw CAPError("", "ends before its first element") }
      rest = rest.dropFirst(end.count)
    }
    while true {
      rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
      if rest.starts(with: "<?".utf8) {
        try skip(to: "?>")
      } else if rest.starts(with: "<!--".utf8) {
        try skip(to: "-->")
      } else {
        guard !rest.starts(with: "<!".utf8) else { throw CAPError("", "has a document type, which is not taken") }
        return
      }
    }
  }

  private static func read(_ reader: xmlTextReaderPtr, _ bounds: CAPBounds) throws(CAPError) -> XMLElement {
    // The elements that are open, the root first.
    var open: [XMLElement] = []
    var root: XMLElement?
    var count = 0
    var state = xmlTextReaderRead(reader)
    func close() {
      guard let done = open.popLast() else { return }
      if open.isEmpty { root = done } else { open[open.count - 1].children.append(done) }
    }
    while state == 1 {
      switch xmlTextReaderNodeType(reader) {
      case Int32(XML_READER_TYPE_ELEMENT.rawValue):
        count += 1
        guard count <= bounds.elements else { throw CAPError("", "has more than \(bounds.elements) elements") }
        guard open.count < bounds.depth else { throw CAPError("", "is nested more than \(bounds.depth) deep") }
        open.append(
          XMLElement(
            name: text(xmlTextReaderConstLocalName(reader)), namespace: text(xmlTextReaderConstNamespaceUri(reader))))
        if xmlTextReaderIsEmptyElement(reader) == 1 { close() }
      case Int32(XML_READER_TYPE_END_ELEMENT.rawValue): close()
      case Int32(XML_READER_TYPE_TEXT.rawValue), Int32(XML_READER_TYPE_CDATA.rawValue),
        Int32(XML_READER_TYPE_SIGNIFICANT_WHITESPACE.rawValue):
        guard !open.isEmpty else { break }
        open[open.count - 1].text += text(xmlTextReaderConstValue(reader))
      case Int32(XML_READER_TYPE_DOCUMENT_TYPE.rawValue), Int32(XML_READER_TYPE_ENTITY_REFERENCE.rawValue),
        Int32(XML_READER_TYPE_ENTITY.rawValue):
        throw CAPError("", "has a document type or an entity, which is not taken")
      default: break
      }
      state = xmlTextReaderRead(reader)
    }
    guard state == 0, let root else {
      throw CAPError("", "is no well-formed XML (line \(xmlTextReaderGetParserLineNumber(reader)))")
    }
    return root
  }

  private static func text(_ pointer: UnsafePointer<xmlChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
}
