# A YAML document whose every value knows its file, line and key, so that a fault found later can say where it is.
require "yaml"

module SkiffLab
  # Vagrant shows the text of its own errors alone, without a trace.
  class Fault < Vagrant::Errors::VagrantError
    def initialize(text)
      @text = text
      super()
    end

    def error_message
      @text
    end
  end

  class Entry
    attr_reader :value

    # The document in a file; a Fault where it cannot be read or is no YAML.
    def self.load(file)
      text = File.read(file, encoding: "bom|utf-8")
      value = YAML.safe_load(text, filename: file)
      tree = YAML.parse(text)
      new(shown(file), tree ? tree.children.first : nil, "", value)
    rescue SystemCallError => error
      raise Fault, "#{shown(file)}: cannot be read: #{error.message}"
    rescue Psych::SyntaxError => error
      raise Fault, "#{shown(file)}:#{error.line}: is not YAML: #{[error.problem, error.context].compact.join(" ")}"
    rescue Psych::Exception, ArgumentError => error
      raise Fault, "#{shown(file)}: holds what no lab needs: #{error.message}"
    end

    # A file as a person would name it from where they stand.
    def self.shown(file)
      file.delete_prefix("#{Dir.pwd}/")
    end

    # `node` is Psych's, nil for an empty file; `line` stands in for a key's, which is its value's only in one-line mappings.
    def initialize(file, node, key, value, line = nil)
      @file, @node, @key, @value = file, node, key, value
      @line = line || (node ? node.start_line + 1 : 1)
    end

    def refuse(problem)
      raise Fault, ["#{@file}:#{@line}", *@key.empty? ? [] : [@key], problem].join(": ")
    end

    # The entries of a mapping by key, all of them known and each there once.
    def mapping(known)
      refuse "should be a mapping, not #{kind}" unless @value.is_a?(Hash)
      @node.children.each_slice(2).each_with_object({}) do |(name, node), found|
        refuse "a key should be a plain word" unless name.is_a?(Psych::Nodes::Scalar)
        key = name.value
        entry = Entry.new(@file, node, @key.empty? ? key : "#{@key}.#{key}", @value[key], name.start_line + 1)
        entry.refuse "unknown key; known: #{known.join(", ")}" unless known.include?(key)
        entry.refuse "is given twice" if found.key?(key)
        found[key] = entry
      end
    end

    # The entries of a list that is not empty.
    def sequence
      refuse "should be a list, not #{kind}" unless @value.is_a?(Array)
      refuse "is empty" if @value.empty?
      @value.each_index.map { |index| Entry.new(@file, @node.children[index], "#{@key}[#{index}]", @value[index]) }
    end

    def string(pattern, what)
      refuse "should be #{what}, not #{kind}" unless @value.is_a?(String) && pattern.match?(@value)
      @value
    end

    def whole(least)
      refuse "should be a whole number from #{least} up, not #{kind}" unless @value.is_a?(Integer) && @value >= least
      @value
    end

    def boolean
      refuse "should be true or false, not #{kind}" unless [true, false].include?(@value)
      @value
    end

    # The value in a person's words.
    def kind
      case @value
      when nil then "nothing"
      when Hash then "a mapping"
      when Array then "a list"
      else @value.inspect[0, 60]
      end
    end
  end
end
