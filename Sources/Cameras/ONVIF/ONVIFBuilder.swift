import Foundation
import Vision

/// Puts metadata together from elements as they open and close.
struct ONVIFBuilder {
  private struct Part {
    var name: String
    var isKnown: Bool
    var attributes: [String: String]
    var text = ""
  }

  /// From a camera's coordinates to its normalized ones, -1 to 1, y up: `value * scale + translation`.
  private struct Transformation {
    var scale = (x: 1.0, y: 1.0)
    var translation = (x: 0.0, y: 0.0)
  }

  private(set) var metadata = ONVIFMetadata()
  /// Frames, objects and messages so far.
  private(set) var count = 0
  private var open: [Part] = []
  private var frame: ONVIFMetadata.Frame?
  private var transformation = Transformation()
  private var object: (id: String?, edges: [Double]?, kind: String?, likelihood: Double?)?
  private var candidate: (kind: String?, likelihood: Double?) = (nil, nil)
  private var topic = ""
  private var message: (time: String, operation: String?, items: [String: String])?

  mutating func open(_ name: String, _ space: String, _ attributes: [String: String]) {
    let isKnown = space == ONVIFReader.schema || space == ONVIFReader.notification
    open.append(Part(name: name, isKnown: isKnown, attributes: attributes))
    guard isKnown else { return }
    switch name {
    case "Frame":
      count += 1
      transformation = Transformation()
      frame = Self.time(attributes["UtcTime"]).map { ONVIFMetadata.Frame(time: $0, objects: []) }
      if frame == nil { metadata.ignored += 1 }
    case "Translate", "Scale":
      guard open.dropLast().last?.name == "Transformation", object == nil, let pair = Self.pair(attributes) else {
        return
      }
      if name == "Scale" { transformation.scale = pair } else { transformation.translation = pair }
    case "Object":
      count += 1
      object = (attributes["ObjectId"], nil, nil, nil)
    case "BoundingBox":
      let edges = ["left", "top", "right", "bottom"].compactMap { Self.number(attributes[$0]) }
      if object?.edges == nil, edges.count == 4 { object?.edges = edges }
    case "ClassCandidate": candidate = (nil, nil)
    case "NotificationMessage":
      count += 1
      topic = ""
      message = nil
    case "Message":
      if let time = attributes["UtcTime"] { message = (time, attributes["PropertyOperation"], [:]) }
    case "SimpleItem":
      if let name = attributes["Name"], message?.items.count ?? 0 < 64 {
        message?.items[name] = attributes["Value"] ?? ""
      }
    default: break
    }
  }

  mutating func add(_ text: String) {
    guard let last = open.indices.last, open[last].text.utf8.count + text.utf8.count <= ONVIFReader.maxText else {
      return
    }
    open[last].text += text
  }

  mutating func close() {
    guard let part = open.popLast(), part.isKnown else { return }
    let text = part.text.trimmingCharacters(in: .whitespacesAndNewlines)
    switch part.name {
    case "Type":
      if open.last?.name == "ClassCandidate" {
        candidate.kind = text
      } else if open.last?.name == "Class" {
        classify(text, Self.number(part.attributes["Likelihood"]))
      }
    case "Likelihood": if open.last?.name == "ClassCandidate" { candidate.likelihood = Self.number(text) }
    case "ClassCandidate": if let kind = candidate.kind { classify(kind, candidate.likelihood) }
    case "Object": closeObject()
    case "Frame":
      if let frame { metadata.frames.append(frame) }
      frame = nil
    case "Topic": topic = text
    case "NotificationMessage": closeMessage()
    default: break
    }
  }

  /// The likeliest class counts.
  private mutating func classify(_ kind: String, _ likelihood: Double?) {
    guard object != nil, object?.kind == nil || (likelihood ?? 0) > (object?.likelihood ?? 0) else { return }
    object?.kind = kind
    object?.likelihood = likelihood.map { min(max($0, 0), 1) }
  }

  private mutating func closeObject() {
    defer { object = nil }
    guard let object, let edges = object.edges, frame != nil else {
      metadata.ignored += 1
      return
    }
    func x(_ value: Double) -> Double { (value * transformation.scale.x + transformation.translation.x + 1) / 2 }
    func y(_ value: Double) -> Double { (1 - value * transformation.scale.y - transformation.translation.y) / 2 }
    let (left, right) = (min(x(edges[0]), x(edges[2])), max(x(edges[0]), x(edges[2])))
    let (top, bottom) = (min(y(edges[1]), y(edges[3])), max(y(edges[1]), y(edges[3])))
    let box = Box(x: left, y: top, width: right - left, height: bottom - top)
      .intersection(Box(x: 0, y: 0, width: 1, height: 1))
    guard !box.isEmpty else {
      metadata.ignored += 1
      return
    }
    frame?.objects.append(
      ONVIFMetadata.Object(id: object.id, box: box, kind: object.kind, likelihood: object.likelihood))
  }

  private mutating func closeMessage() {
    defer { message = nil }
    guard let message, let time = Self.time(message.time), !topic.isEmpty else {
      metadata.ignored += 1
      return
    }
    let plain = topic.split(separator: "/").map { $0.split(separator: ":").last.map(String.init) ?? "" }.joined(
      separator: "/")
    let rule = ONVIFMetadata.rules[plain]
    let state = message.items.first { ONVIFMetadata.states.contains($0.key) }?.value
    metadata.events.append(
      ONVIFMetadata.RuleEvent(
        time: time, topic: plain, rule: rule, name: message.items["Rule"], object: message.items["ObjectId"],
        operation: message.operation.flatMap(ONVIFMetadata.RuleEvent.Operation.init),
        isActive: state.flatMap(Self.flag),
        items: message.items))
  }

  private static func pair(_ attributes: [String: String]) -> (x: Double, y: Double)? {
    guard let x = number(attributes["x"]), let y = number(attributes["y"]) else { return nil }
    return (x, y)
  }

  private static func number(_ text: String?) -> Double? {
    guard let text, let value = Double(text), value.isFinite, abs(value) < 1e9 else { return nil }
    return value
  }

  private static func flag(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "1": true
    case "false", "0": false
    default: nil
    }
  }

  /// `xs:dateTime` with a zone, with or without a fraction.
  private static func time(_ text: String?) -> Date? {
    guard let text, text.utf8.count <= 40 else { return nil }
    return (try? Date(text, strategy: .iso8601))
      ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
  }
}
