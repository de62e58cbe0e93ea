import Cameras
import Foundation
import Testing
import Vision

@Suite struct ONVIFTests {
  private static let head =
    #"<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:tns1="http://www.onvif.org/ver10/topics">"#

  private func read(_ inside: String) throws -> ONVIFMetadata {
    try ONVIFReader.read(Array((Self.head + inside + "</tt:MetadataStream>").utf8))
  }

  @Test func objectsComeInPartsOfThePicture() throws {
    let metadata = try read(
      """
      <tt:VideoAnalytics><tt:Frame UtcTime="2026-11-24T03:00:00.250Z">
        <tt:Transformation><tt:Translate x="-1.0" y="1.0"/><tt:Scale x="0.003125" y="-0.005"/></tt:Transformation>
        <tt:Object ObjectId="12"><tt:Appearance>
          <tt:Shape><tt:BoundingBox left="160" top="100" right="320" bottom="300"/><tt:CenterOfGravity x="240" y="200"/></tt:Shape>
          <tt:Class><tt:ClassCandidate><tt:Type>Vehicle</tt:Type><tt:Likelihood>0.2</tt:Likelihood></tt:ClassCandidate>
            <tt:ClassCandidate><tt:Type>Human</tt:Type><tt:Likelihood>0.8</tt:Likelihood></tt:ClassCandidate></tt:Class>
        </tt:Appearance></tt:Object>
        <tt:Object ObjectId="13"><tt:Appearance><tt:Shape><tt:BoundingBox left="0" top="0" right="64" bottom="40"/></tt:Shape>
          <tt:Class><tt:Type Likelihood="0.9">Vehicle</tt:Type></tt:Class></tt:Appearance></tt:Object>
        <tt:Object ObjectId="14"><tt:Appearance/></tt:Object>
      </tt:Frame></tt:VideoAnalytics>
      """)
    let frame = try #require(metadata.frames.first)
    #expect(abs(frame.time.timeIntervalSince1970 - 1_795_489_200.25) < 0.001)
    #expect(frame.objects.map(\.id) == ["12", "13"] && metadata.ignored == 1)
    // Pixels of 640 by 400.
    let people = frame.people(in: PictureSize(width: 640, height: 400))
    #expect(people.map(\.score) == [0.8])
    let box = try #require(people.first).box
    #expect(
      abs(box.x - 160) < 0.01 && abs(box.y - 100) < 0.01 && abs(box.width - 160) < 0.01 && abs(box.height - 200) < 0.01)
    #expect(frame.objects.last?.kind == "Vehicle")
  }

  @Test func withoutATransformationCoordinatesAreNormalizedAndGoUp() throws {
    let metadata = try read(
      """
      <tt:VideoAnalytics><tt:Frame UtcTime="2026-11-24T03:00:00Z"><tt:Object><tt:Appearance><tt:Shape>
      <tt:BoundingBox left="-1" top="1" right="0" bottom="0.5"/></tt:Shape></tt:Appearance></tt:Object></tt:Frame></tt:VideoAnalytics>
      """)
    #expect(metadata.frames.first?.objects.first?.box == Box(x: 0, y: 0, width: 0.5, height: 0.25))
  }

  private func message(_ topic: String, _ data: String) -> String {
    """
    <tt:Event><wsnt:NotificationMessage><wsnt:Topic Dialect="d">\(topic)</wsnt:Topic><wsnt:Message>
    <tt:Message UtcTime="2026-11-24T03:00:00Z" PropertyOperation="Changed">
    <tt:Source><tt:SimpleItem Name="Rule" Value="Yard"/></tt:Source><tt:Key><tt:SimpleItem Name="ObjectId" Value="12"/></tt:Key>
    <tt:Data>\(data)</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event>
    """
  }

  @Test func rulesOfCamerasAreEvents() throws {
    let metadata = try read(
      message("tns1:RuleEngine/FieldDetector/ObjectsInside", #"<tt:SimpleItem Name="IsInside" Value="true"/>"#)
        + message("tns1:RuleEngine/LineDetector/Crossed", "")
        + message("tns1:VideoSource/GlobalSceneChange/ImagingService", #"<tt:SimpleItem Name="State" Value="0"/>"#))
    #expect(metadata.events.map(\.rule) == [.intrusion, .lineCrossing, nil])
    #expect(metadata.events.map(\.isActive) == [true, nil, false])
    let first = try #require(metadata.events.first)
    #expect(first.name == "Yard" && first.object == "12" && first.operation == .changed)
    #expect(metadata.events.last?.topic == "VideoSource/GlobalSceneChange/ImagingService")
  }

  @Test func whatIsNotUnderstoodIsCounted() throws {
    let metadata = try read(
      #"<tt:VideoAnalytics><tt:Frame UtcTime="yesterday"><tt:Object ObjectId="1"/></tt:Frame></tt:VideoAnalytics>"#
        + #"<x:Frame xmlns:x="urn:x" UtcTime="2026-11-24T03:00:00Z"/>"#
        + message("", ""))
    #expect(metadata.frames.isEmpty && metadata.events.isEmpty && metadata.ignored == 3)
  }

  @Test func entitiesAreNeitherPutInNorFetched() throws {
    try TestVideo.folder { folder in
      let secret = folder.appending(path: "secret")
      try Data("secret".utf8).write(to: secret)
      let document =
        #"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY s SYSTEM "file://\#(secret.path)">]><a>&s;</a>"#
      #expect(throws: ONVIFError.documentType) { try ONVIFReader.read(Array(document.utf8)) }
      var laughs = #"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">"#
      for index in 1...20 { laughs += "<!ENTITY a\(index) \"\(String(repeating: "&a\(index - 1);", count: 10))\">" }
      #expect(throws: ONVIFError.self) { try ONVIFReader.read(Array((laughs + "]><a>&a20;</a>").utf8)) }
    }
  }

  @Test func boundsHold() throws {
    #expect(throws: ONVIFError.tooLarge) { try ONVIFReader.read(Array(repeating: 32, count: ONVIFReader.maxBytes + 1)) }
    #expect(throws: ONVIFError.tooLarge) {
      try read(String(repeating: "<a>", count: 60) + String(repeating: "</a>", count: 60))
    }
    #expect(throws: ONVIFError.tooLarge) {
      try read("<tt:VideoAnalytics>" + String(repeating: "<tt:Frame/>", count: 5_000) + "</tt:VideoAnalytics>")
    }
    #expect(throws: ONVIFError.self) { try read("<a>") }
    #expect(throws: ONVIFError.self) { try ONVIFReader.read([]) }
    #expect(throws: ONVIFError.self) { try ONVIFReader.read(Array("\u{FEFF}no xml".utf8)) }
  }

  @Test func brokenDocumentsNeverCrash() throws {
    let whole = Array(
      (Self.head + message("tns1:RuleEngine/LineDetector/Crossed", "")
        + #"<tt:VideoAnalytics><tt:Frame UtcTime="2026-11-24T03:00:00Z"><tt:Object><tt:Appearance><tt:Shape><tt:BoundingBox left="nan" top="1e999" right="0" bottom="0.5"/></tt:Shape></tt:Appearance></tt:Object></tt:Frame></tt:VideoAnalytics></tt:MetadataStream>"#)
        .utf8)
    #expect(try ONVIFReader.read(whole).events.count == 1)
    for length in stride(from: 0, to: whole.count, by: 3) { _ = try? ONVIFReader.read(Array(whole.prefix(length))) }
    for index in stride(from: 0, to: whole.count, by: 5) {
      var broken = whole
      broken[index] ^= UInt8(truncatingIfNeeded: index % 255 + 1)
      _ = try? ONVIFReader.read(broken)
    }
  }
}
