import NGSI

/// A node or a value of an RDF graph (RDF 1.1 Concepts, section 3).
enum RDFTerm: Sendable, Hashable {
  case iri(String)
  case blank(String)
  case text(String, language: String)
  /// - datatype: its IRI.
  case typed(String, datatype: String)
}

/// A graph that is written as Turtle or as JSON-LD; subjects and what is said of them keep their order.
struct RDFGraph: Sendable {
  let prefixes: [(name: String, iri: String)]
  private(set) var subjects: [RDFTerm] = []
  private(set) var statements: [RDFTerm: [(predicate: String, objects: [RDFTerm])]] = [:]
  private var blanks = 0

  init(prefixes: [(name: String, iri: String)]) { self.prefixes = prefixes }

  /// A node without a name of its own.
  mutating func blank() -> RDFTerm {
    blanks += 1
    return .blank("b\(blanks)")
  }

  /// - Parameter predicate: a prefixed name.
  mutating func add(_ subject: RDFTerm, _ predicate: String, _ objects: RDFTerm...) {
    add(subject, predicate, objects)
  }

  mutating func add(_ subject: RDFTerm, _ predicate: String, _ objects: [RDFTerm]) {
    guard !objects.isEmpty else { return }
    if statements[subject] == nil { subjects.append(subject) }
    var said = statements[subject] ?? []
    if let index = said.firstIndex(where: { $0.predicate == predicate }) {
      said[index].objects += objects.filter { !said[index].objects.contains($0) }
    } else {
      said.append((predicate, objects))
    }
    statements[subject] = said
  }

  // MARK: - Turtle

  /// RDF 1.1 Turtle.
  var turtle: String {
    var text = ""
    for prefix in prefixes { text += "@prefix \(prefix.name): <\(prefix.iri)> .\n" }
    for subject in subjects {
      text += "\n\(turtle(subject))"
      for (index, statement) in (statements[subject] ?? []).enumerated() {
        let predicate = statement.predicate == "rdf:type" ? "a" : statement.predicate
        text += index == 0 ? " \(predicate) " : " ;\n  \(predicate) "
        text += statement.objects.map(turtle).joined(separator: ", ")
      }
      text += " .\n"
    }
    return text
  }

  private func turtle(_ term: RDFTerm) -> String {
    switch term {
    case .iri(let iri): compact(iri) ?? "<\(Self.escapedIRI(iri))>"
    case .blank(let label): "_:\(label)"
    case .text(let text, let language): "\"\(Self.escaped(text))\"" + (language.isEmpty ? "" : "@\(language)")
    case .typed(let text, let datatype): "\"\(Self.escaped(text))\"^^" + turtle(.iri(datatype))
    }
  }

  /// The prefixed name of an IRI whose rest is a plain word.
  private func compact(_ iri: String) -> String? {
    for prefix in prefixes where iri.hasPrefix(prefix.iri) {
      let rest = iri.dropFirst(prefix.iri.count)
      guard !rest.isEmpty, rest.utf8.allSatisfy({ ($0 | 0x20) &- 0x61 < 26 }) else { return nil }
      return "\(prefix.name):\(rest)"
    }
    return nil
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": escaped += "\\\""
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\r": escaped += "\\r"
      case "\t": escaped += "\\t"
      case "\u{0}"..<" ", "\u{7F}": escaped += "\\u" + hex(scalar)
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// What an IRI may not hold in Turtle is written as an escape.
  private static func escapedIRI(_ iri: String) -> String {
    var escaped = ""
    for scalar in iri.unicodeScalars {
      if scalar.value <= 0x20 || "<>\"{}|^`\\".unicodeScalars.contains(scalar) {
        escaped += "\\u" + hex(scalar)
      } else {
        escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func hex(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  // MARK: - JSON-LD

  /// JSON-LD 1.1 in flattened form, with the prefixes as its context.
  var jsonLD: JSON {
    var context = JSONObject()
    for prefix in prefixes { context[prefix.name] = .string(prefix.iri) }
    let nodes = subjects.map { subject -> JSON in
      var node = JSONObject()
      node["@id"] = .string(Self.name(subject))
      for statement in statements[subject] ?? [] {
        if statement.predicate == "rdf:type" {
          node["@type"] = .array(statement.objects.map { .string(Self.name($0)) })
        } else {
          node[statement.predicate] = .array(statement.objects.map(Self.json))
        }
      }
      return .object(node)
    }
    return ["@context": .object(context), "@graph": .array(nodes)]
  }

  private static func name(_ term: RDFTerm) -> String {
    switch term {
    case .iri(let iri): iri
    case .blank(let label): "_:\(label)"
    case .text(let text, _), .typed(let text, _): text
    }
  }

  private static func json(_ term: RDFTerm) -> JSON {
    switch term {
    case .iri, .blank: ["@id": .string(name(term))]
    case .text(let text, ""): ["@value": .string(text)]
    case .text(let text, let language): ["@value": .string(text), "@language": .string(language)]
    case .typed(let text, let datatype): ["@value": .string(text), "@type": .string(datatype)]
    }
  }
}
