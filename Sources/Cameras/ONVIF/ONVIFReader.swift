import CLibxml2
import Foundation
import Vision

/// Reads `tt:MetadataStream` documents. libxml2 reads them piece by piece; entities are not put in, nothing is fetched, and a
/// document type is refused.
///
/// Bounds: bytes, depth, objects and messages, lengths of text.
public enum ONVIFReader {
  public static let maxBytes = 1 << 20
  static let maxDepth = 32
  static let maxItems = 2_000
  static let maxText = 4_096
  /// libxml2 wants to be begun once, before several threads use it.
  private static let isReady: Void = xmlInitParser()

  static let schema = "http://www.onvif.org/ver10/schema"
  static let notification = "http://docs.oasis-open.org/wsn/b-2"

  /// - Throws: ``ONVIFError``
  public static func read(_ bytes: [UInt8]) throws(ONVIFError) -> ONVIFMetadata {
    guard bytes.count <= maxBytes else { throw .tooLarge }
    _ = isReady
    let options = XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
    let result: Result<ONVIFMetadata, ONVIFError> = bytes.withUnsafeBytes { raw in
      let text = raw.bindMemory(to: CChar.self)
      guard
        let reader = xmlReaderForMemory(text.baseAddress, Int32(text.count), nil, "UTF-8", Int32(options))
      else { return .failure(.malformed(line: 0)) }
      defer { xmlFreeTextReader(reader) }
      return Result { () throws(ONVIFError) in try read(reader) }
    }
    return try result.get()
  }

  private static func read(_ reader: xmlTextReaderPtr) throws(ONVIFError) -> ONVIFMetadata {
    var builder = ONVIFBuilder()
    var state = xmlTextReaderRead(reader)
    while state == 1 {
      guard xmlTextReaderDepth(reader) <= maxDepth, builder.count <= maxItems else { throw .tooLarge }
      switch xmlTextReaderNodeType(reader) {
      case Int32(XML_READER_TYPE_DOCUMENT_TYPE.rawValue), Int32(XML_READER_TYPE_ENTITY_REFERENCE.rawValue):
        throw .documentType
      case Int32(XML_READER_TYPE_ELEMENT.rawValue):
        let isEmpty = xmlTextReaderIsEmptyElement(reader) == 1
        let name = try text(xmlTextReaderConstLocalName(reader))
        let space = try text(xmlTextReaderConstNamespaceUri(reader))
        builder.open(name, space, try attributes(reader))
        if isEmpty { builder.close() }
      case Int32(XML_READER_TYPE_END_ELEMENT.rawValue): builder.close()
      case Int32(XML_READER_TYPE_TEXT.rawValue), Int32(XML_READER_TYPE_CDATA.rawValue):
        builder.add(try text(xmlTextReaderConstValue(reader)))
      default: break
      }
      state = xmlTextReaderRead(reader)
    }
    guard state == 0 else { throw .malformed(line: Int(xmlTextReaderGetParserLineNumber(reader))) }
    return builder.metadata
  }

  private static func attributes(_ reader: xmlTextReaderPtr) throws(ONVIFError) -> [String: String] {
    var found: [String: String] = [:]
    var state = xmlTextReaderMoveToFirstAttribute(reader)
    while state == 1 {
      guard found.count < 32 else { throw .tooLarge }
      found[try text(xmlTextReaderConstLocalName(reader))] = try text(xmlTextReaderConstValue(reader))
      state = xmlTextReaderMoveToNextAttribute(reader)
    }
    _ = xmlTextReaderMoveToElement(reader)
    return found
  }

  private static func text(_ pointer: UnsafePointer<xmlChar>?) throws(ONVIFError) -> String {
    guard let pointer else { return "" }
    let length = Int(xmlStrlen(pointer))
    guard length <= maxText else { throw .tooLarge }
    return String(decoding: UnsafeBufferPointer(start: pointer, count: length), as: UTF8.self)
  }
}
